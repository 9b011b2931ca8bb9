"""Compiled windows for the CPU: weighted sums of neighbours along one axis."""

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["slide_across", "slide_within", "weigh_places", "weigh_rows"]

Array = npt.NDArray[np.floating]
Places = npt.NDArray[np.int64]
"""The pixel at each place that windows reach; -1 where it is dark."""
PIECE = 4096
"""Sums that stay in the nearest cache while the windows' rows pass by."""


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add(source: Array, weight: float, out: Array) -> None:
    for i in range(out.size):
        out[i] += weight * source[i]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add_three(a: Array, b: Array, c: Array, weights: Array, out: Array) -> None:
    first, second, third = weights[0], weights[1], weights[2]
    for i in range(out.size):
        out[i] += first * a[i] + second * b[i] + third * c[i]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add_four(a: Array, b: Array, c: Array, d: Array, weights: Array, out: Array) -> None:
    """Four at once: sums are fetched and stored a quarter as often."""
    first, second, third, fourth = weights[0], weights[1], weights[2], weights[3]
    for i in range(out.size):
        out[i] += first * a[i] + second * b[i] + third * c[i] + fourth * d[i]


@njit(cache=True, nogil=True)
def weigh_rows(rows: Array, which: Places, taps: Array, out: Array) -> None:
    """``out`` is the sum of ``taps`` times the rows ``which``; dark ones add nothing."""
    out[:] = 0
    for tap in range(0, taps.size, 4):
        weights = taps[tap : tap + 4]
        lit = 0
        for other in range(weights.size):
            lit += which[tap + other] >= 0
        if lit >= 3 and lit == weights.size:
            a, b, c = rows[which[tap]], rows[which[tap + 1]], rows[which[tap + 2]]
            if lit == 4:
                _add_four(a, b, c, rows[which[tap + 3]], weights, out)
            else:
                _add_three(a, b, c, weights, out)
            continue
        for other in range(weights.size):
            if which[tap + other] >= 0:
                _add(rows[which[tap + other]], weights[other], out)


@njit(cache=True, nogil=True)
def weigh_places(row: Array, taps: Array, out: Array) -> None:
    """``out`` is the sum of ``taps`` times the values from every place on."""
    n = out.size
    out[:] = 0
    for tap in range(0, taps.size, 4):
        weights = taps[tap : tap + 4]
        a = row[tap : tap + n]
        if weights.size < 3:
            for other in range(weights.size):
                _add(row[tap + other : tap + other + n], weights[other], out)
            continue
        b, c = row[tap + 1 : tap + 1 + n], row[tap + 2 : tap + 2 + n]
        if weights.size == 4:
            _add_four(a, b, c, row[tap + 3 : tap + 3 + n], weights, out)
        else:
            _add_three(a, b, c, weights, out)


@njit(cache=True, nogil=True)
def slide_across(
    data: Array, taps: Array, seen: Places, step: int, out: Array, start: int, stop: int
) -> None:
    """Along the middle of three axes: rows ``start`` to ``stop`` of ``out``, counted throughout."""
    n_places, length = out.shape[1:]
    for row in range(start, stop):
        block, place = row // n_places, row % n_places
        which = seen[place * step : place * step + taps.size]
        for first in range(0, length, PIECE):
            last = min(first + PIECE, length)
            weigh_rows(data[block, :, first:last], which, taps, out[block, place, first:last])


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
        weigh_places(wide, taps, sums)
        out[row] = sums[::step]
