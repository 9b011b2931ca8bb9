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

PER_NOISE, LEAST = 0.5, 5e-4
"""Chosen on simulated k-space of a person of the training side (sub-01; 8 coils, columns at R 3
and 4 and a Poisson disc at R 6, noise of 0.7 and 2.8 % of bright tissue), as the wavelet was."""
AVERAGED = 3
"""The last of so many parts of the iterations makes the image: shifts leave every single iterate
a few per cent beside their mean."""


@dataclass(frozen=True)
class Options:
    """How sparse, and in what."""

    weight: float | None = None
    """Of the wavelets' l1 norm, over the brightness of bright tissue; if not given, half the
    noise over that brightness, at least 0.0005."""
    wavelet: str = "db2"
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
    shifts; the image is the mean of the last iterates.

    Raises:
        UnknownName: No such wavelet.
    """
    levels = levels_for(kspace.grid)
    turns = torch.randint(2**levels, (options.n_iterations, 2), generator=rng)

    def weigh(plan: SlicePlan) -> float:
        return plan.weight(options.weight, PER_NOISE, LEAST)

    def solve(plan: SlicePlan) -> Tensor:
        step = 1 / plan.largest_eigenvalue
        shrink = _Shrink(weigh(plan), options, turns, levels)
        last = fista(
            plan.gradient, shrink, plan.zero_filled, step=step, n_iterations=options.n_iterations
        )
        return shrink.mean() if options.shifts else last

    return restore_slices(kspace, solve, progress, weigh)


class _Shrink:
    """The proximal map, with the next shift at every call; it sums the last results."""

    def __init__(self, weight: float, options: Options, turns: Tensor, levels: int) -> None:
        self._weight, self._options, self._levels = weight, options, levels
        self._turns = (turns * int(options.shifts)).tolist()
        self._done, self._n_summed = 0, 0
        self._sum = torch.zeros(())

    def __call__(self, x: Tensor, step: float) -> Tensor:
        rows, columns = self._turns[self._done]
        small = shrink_wavelets(
            x[0],
            torch.full((x.shape[1],), step * self._weight, device=x.device),
            (rows, columns),
            wavelet=self._options.wavelet,
            levels=self._levels,
        )[None]
        self._done += 1
        if len(self._turns) - self._done < max(1, len(self._turns) // AVERAGED):
            self._sum = self._sum + small
            self._n_summed += 1
        return small

    def mean(self) -> Tensor:
        return self._sum / self._n_summed
