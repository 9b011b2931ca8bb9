"""What was not measured is 0."""

from dataclasses import dataclass

import torch

from isocenter.data.kspace import KSpace
from isocenter.restorers._by_slice import restore_slices
from isocenter.restorers._restored import Progress, Restored

__all__ = ["NEEDS_MAPS", "Options", "reconstruct"]

NEEDS_MAPS = True


@dataclass(frozen=True)
class Options:
    """Nothing to choose."""


def reconstruct(
    kspace: KSpace, options: Options, *, rng: torch.Generator, progress: Progress | None
) -> Restored:
    """``A^H y``: coil images of the measured places alone, combined with the coils' maps.

    The combination of Roemer et al., Magn. Reson. Med. 16(2), 1990, doi:10.1002/mrm.1910160203.
    The floor of every comparison.
    """
    return restore_slices(kspace, lambda plan: plan.zero_filled, progress)
