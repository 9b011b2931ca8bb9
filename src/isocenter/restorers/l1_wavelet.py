"""Compressed sensing with wavelets and coils."""

from dataclasses import dataclass

import torch
from torch import Tensor

from isocenter.data.kspace import KSpace
from isocenter.ops.daubechies import levels_for, shrink_wavelets
from isocenter.ops.solvers import fista
from isocenter.restorers._by_slice import SlicePlan, restore_slices
from isocenter.restorers._restored import Progress, Restored

__all__ = ["NEEDS_MAPS", "Options", "reconstruct"]

NEEDS_MAPS = True


@dataclass(frozen=True)
class Options:
    """How sparse, and in what."""

    weight: float = 2e-3
    """Of the wavelets' l1 norm, as part of the brightness of bright tissue."""
    wavelet: str = "db4"
    """``haar``, ``db2`` (BART's) or ``db4`` (SigPy's)."""
    n_iterations: int = 60
    shifts: bool = True
    """Turn the image by a drawn number of places before every shrinking: no blocks show."""


def reconstruct(
    kspace: KSpace, options: Options, *, rng: torch.Generator, progress: Progress | None
) -> Restored:
    """The least ``|A x - y|^2 / 2 + weight |W x|_1`` by FISTA with random shifts.

    Lustig, Donoho and Pauly, Magn. Reson. Med. 58(6), 2007, doi:10.1002/mrm.21391, with coils as
    in Uecker et al., Magn. Reson. Med. 71(3), 2014, doi:10.1002/mrm.24751; shifts as in Figueiredo
    and Nowak, IEEE TIP 12(8), 2003, doi:10.1109/TIP.2003.814255.  Every slice meets the same
    shifts.

    Raises:
        UnknownName: No such wavelet.
    """
    grid = kspace.grid
    levels = levels_for(grid)
    turns = torch.randint(2**levels, (options.n_iterations, 2), generator=rng)
    shifts = (turns * int(options.shifts)).tolist()

    def solve(plan: SlicePlan) -> Tensor:
        left = iter(shifts)

        def prox(x: Tensor, step: float) -> Tensor:
            thresholds = torch.full((x.shape[1],), step * options.weight, device=x.device)
            shrunk = shrink_wavelets(
                x[0], thresholds, tuple(next(left)), wavelet=options.wavelet, levels=levels
            )
            return shrunk[None]

        return fista(
            plan.gradient,
            prox,
            plan.zero_filled,
            step=1 / plan.largest_eigenvalue,
            n_iterations=options.n_iterations,
        )

    return restore_slices(
        kspace, solve, progress, weight=options.weight, n_iterations=options.n_iterations
    )
