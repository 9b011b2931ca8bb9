"""Compiled windows for the CPU: weighted sums of neighbours along one axis."""

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["slide_across", "slide_within"]

Array = npt.NDArray[np.floating]
Places = npt.NDArray[np.int64]
"""The pixel at each place that windows reach; -1 where it is dark."""
PIECE = 4096
"""Sums that stay in the nearest cache while the windows' rows pass by."""


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add(source: Array, weight: float, out: Array) -> None:
    for i in range(out.size):
        out[i] += weight * source[i]


@njit(cache=True, nogil=True)
def slide_across(
    data: Array, taps: Array, seen: Places, step: int, out: Array, start: int, stop: int
) -> None:
    """Along the middle of three axes: rows ``start`` to ``stop`` of ``out``, counted throughout."""
    n_places, length = out.shape[1:]
    for row in range(start, stop):
        block, place = row // n_places, row % n_places
        out[block, place] = 0
        for first in range(0, length, PIECE):
            piece = slice(first, min(first + PIECE, length))
            for tap in range(taps.size):
                index = seen[place * step + tap]
                if index >= 0:
                    _add(data[block, index, piece], taps[tap], out[block, place, piece])


@njit(cache=True, nogil=True)
def slide_within(
    data: Array, taps: Array, seen: Places, step: int, out: Array, start: int, stop: int
) -> None:
    """Along rows ``start`` to ``stop``, from a copy of each that reaches over its border.

    Every place is summed and every ``step``-th kept: whole rows are fast, steps are not.
    """
    wide = np.empty(seen.size, data.dtype)
    sums = np.empty(seen.size - taps.size + 1, data.dtype)
    for row in range(start, stop):
        for place in range(seen.size):
            index = seen[place]
            wide[place] = data[row, index] if index >= 0 else 0
        sums[:] = 0
        for tap in range(taps.size):
            _add(wide[tap : tap + sums.size], taps[tap], sums)
        out[row] = sums[::step]
