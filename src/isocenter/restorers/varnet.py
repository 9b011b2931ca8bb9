"""E2E-VarNet: one pass of a network that was trained on fully sampled k-space."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from isocenter.data.kspace import KSpace
from isocenter.data.step import JSON
from isocenter.errors import BadKSpace
from isocenter.nets.varnet import VarNet, calibration_places
from isocenter.ops.coils import combine, root_sum_of_squares
from isocenter.ops.fourier import ifft
from isocenter.restorers._restored import Progress, Restored
from isocenter.restorers._supervised import brightness, trained

__all__ = ["NEEDS_MAPS", "NEEDS_WEIGHTS", "Options", "reconstruct"]

NEEDS_MAPS = False
"""It finds its own in the calibration lines."""
NEEDS_WEIGHTS = True
PLANE = (-2, -1)
SHORTEST = 17
"""Lines of an image that the network can halve so often."""


@dataclass(frozen=True)
class Options:
    """Which network."""

    weights: str | None = None
    """File (.safetensors): a checkpoint of the recipe ``supervised``, or the weights of the
    fastMRI program."""


def reconstruct(
    kspace: KSpace, options: Options, *, rng: torch.Generator, progress: Progress | None
) -> Restored:
    """Root sum of squares of the filled coils, with the phase of their combination.

    Sriram et al., MICCAI 2020, doi:10.1007/978-3-030-59713-9_7, arXiv:2004.06688.

    Raises:
        UsageError: No weights were named.
        BadCheckpoint: The weights cannot be used.
        BadKSpace: No calibration lines, or too small.
    """
    network = trained("varnet", options.weights, kspace.data.device)
    net = cast(VarNet, network.net)
    images, residuals, scales = [], [], []
    for index in range(kspace.n_slices):
        single = kspace.slices(slice(index, index + 1))
        _check(single)
        scale = brightness(single)
        image, residual = _filled_slice(net, single, scale)
        images.append(image * scale)
        residuals.append(residual)
        scales.append(scale)
        if progress is not None:
            progress(index + 1, kspace.n_slices)
    facts: dict[str, JSON] = {**network.facts, "evaluations": 1}
    facts |= {"scale": [*scales], "data_residual": [*residuals]}
    return Restored(torch.cat(images), facts=facts)


@torch.inference_mode()
def _filled_slice(net: VarNet, kspace: KSpace, scale: float) -> tuple[Tensor, float]:
    """The image (1, y, x) in units of ``scale``, and ``|M k - y| / |y|``."""
    measured, places = kspace.data / scale, kspace.mask.places
    filled = net.filled(measured, places)
    coils = ifft(filled.kspace, PLANE)
    phase = combine(coils, filled.maps[:, None])[:, 0].angle()
    size = float(torch.linalg.vector_norm(measured))
    missed = float(torch.linalg.vector_norm(filled.kspace * places[:, None] - measured))
    return torch.polar(root_sum_of_squares(coils), phase), missed / size if size else 0.0


def _check(kspace: KSpace) -> None:
    if min(kspace.grid) < SHORTEST:
        raise BadKSpace(
            f"k-space of {kspace.grid[0]} x {kspace.grid[1]} is too small for varnet: it takes "
            f"sides of {SHORTEST} or more"
        )
    if not bool(calibration_places(kspace.mask.places).any()):
        raise BadKSpace(
            "varnet finds coil maps in the fully measured centre of k-space and there is none: "
            "measure a centre"
        )
