"""Root sum of squares of the coils, what was not measured being 0."""

from dataclasses import dataclass

import torch

from isocenter.data.kspace import KSpace
from isocenter.ops.coils import root_sum_of_squares
from isocenter.ops.fourier import ifft
from isocenter.restorers._restored import Progress, Restored

__all__ = ["NEEDS_MAPS", "Options", "reconstruct"]

NEEDS_MAPS = False


@dataclass(frozen=True)
class Options:
    """Nothing to choose."""


def reconstruct(
    kspace: KSpace, options: Options, *, rng: torch.Generator, progress: Progress | None
) -> Restored:
    """Magnitude of all coil images together; needs no maps and keeps no phase.

    Roemer et al., Magn. Reson. Med. 16(2), 1990, doi:10.1002/mrm.1910160203, equation 27.
    """
    image = root_sum_of_squares(ifft(kspace.data, (-2, -1)))
    if progress is not None:
        progress(kspace.n_slices, kspace.n_slices)
    return Restored(image.to(kspace.data.dtype), facts={"data_residual": [0.0] * kspace.n_slices})
