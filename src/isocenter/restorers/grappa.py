"""GRAPPA: missing k-space from measured neighbours in all coils."""

from dataclasses import dataclass

import torch
from torch import Tensor

from isocenter.data.kspace import KSpace
from isocenter.ops.grappa import fill_columns, fill_places
from isocenter.restorers._autocalibrated import check_side, kernel_weight, restore_filled
from isocenter.restorers._restored import Progress, Restored

__all__ = ["NEEDS_MAPS", "Options", "reconstruct"]

NEEDS_MAPS = False


@dataclass(frozen=True)
class Options:
    """How large kernels are, and how much they are held back."""

    n_rows: int = 5
    """Rows of a kernel where whole columns were left out."""
    n_columns: int = 4
    """Measured columns that such a kernel stands on, half of them on either side."""
    window: int = 7
    """Side of the window where single places were left out."""
    n_places: int = 10
    """Measured places of the window, the nearest, that such a kernel stands on."""
    weight: float | None = None
    """Tikhonov's, over the mean energy of a kernel's sources; if not given, noise over signal
    outside of the centre, at least 0.001."""


def reconstruct(
    kspace: KSpace, options: Options, *, rng: torch.Generator, progress: Progress | None
) -> Restored:
    """Kernels by local pattern, from the fully measured centre.

    Griswold et al., Magn. Reson. Med. 47(6), 2002, doi:10.1002/mrm.10171.

    Takes every mask with a full centre.  Where whole columns were left out, evenly or not, a
    kernel spans ``n_rows`` rows and the ``n_columns`` nearest measured columns that fit into the
    width of the centre.  Any other mask, such as a Poisson disc, has a kernel for every pattern
    within its window.  Places without a measured one in reach stay 0 and are counted in
    ``not_filled``.

    Raises:
        BadKSpace: One coil, or a centre smaller than a kernel.
        UsageError: An even side.
    """
    check_side(options.n_rows, "n_rows")
    check_side(options.window, "window")
    by_column = bool((kspace.mask.places == kspace.mask.places[:, :1]).all())

    def fill(data: Tensor, mask: Tensor, block: Tensor) -> tuple[Tensor, int]:
        weight = kernel_weight(options.weight, data, mask, block)
        if by_column:
            sides = {"n_rows": options.n_rows, "n_columns": options.n_columns}
            return fill_columns(data, mask[0], block, **sides, weight=weight)
        sides = {"window": options.window, "n_places": options.n_places}
        return fill_places(data, mask, block, **sides, weight=weight)

    least = (options.n_rows, 2) if by_column else (options.window, options.window)
    return restore_filled(kspace, fill, progress, name="grappa", least=least)
