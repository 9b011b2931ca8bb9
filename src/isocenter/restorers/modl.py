"""MoDL: a trained denoiser and the data's own equations in turns."""

from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from isocenter.data.kspace import KSpace
from isocenter.errors import BadKSpace
from isocenter.nets.modl import MoDL
from isocenter.restorers._by_slice import SlicePlan, restore_slices
from isocenter.restorers._restored import Progress, Restored
from isocenter.restorers._supervised import trained

__all__ = ["NEEDS_MAPS", "NEEDS_WEIGHTS", "Options", "reconstruct"]

NEEDS_MAPS = True
NEEDS_WEIGHTS = True


@dataclass(frozen=True)
class Options:
    """Which network."""

    weights: str | None = None
    """File (.safetensors): a checkpoint of the recipe ``supervised`` with ``net=modl``."""


def reconstruct(
    kspace: KSpace, options: Options, *, rng: torch.Generator, progress: Progress | None
) -> Restored:
    """The image after the last turn, which agrees with the data as far as the network trusts them.

    Aggarwal et al., IEEE Trans. Med. Imaging 38(2), 2019, doi:10.1109/TMI.2018.2865356.

    Raises:
        UsageError: No weights were named.
        BadCheckpoint: The weights cannot be used.
        BadKSpace: Several sets of coil maps.
    """
    network = trained("modl", options.weights, kspace.data.device)
    net = cast(MoDL, network.net)
    if kspace.maps is not None and kspace.maps.shape[1] != 1:
        raise BadKSpace(
            f"modl takes one set of coil maps, got {kspace.maps.shape[1]}: give one set"
        )

    @torch.inference_mode()
    def solve(plan: SlicePlan) -> Tensor:
        if not bool(plan.zero_filled.any()):
            return plan.zero_filled
        return net.unrolled(plan.operator, plan.zero_filled)

    restored = restore_slices(kspace, solve, progress)
    facts = {**network.facts, "evaluations": net.config.n_turns, **restored.facts}
    return replace(restored, facts=facts)
