"""Compiled orthogonal wavelets for the CPU: split and join planes along rows and columns."""

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["decompose", "recompose", "shrink"]

Array = npt.NDArray[np.floating]
Complex = npt.NDArray[np.complexfloating]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _four(a: Array, b: Array, c: Array, d: Array, weights: Array, out: Array) -> None:
    """Four weighted rows more: sums are fetched and stored a quarter as often."""
    first, second, third, fourth = weights[0], weights[1], weights[2], weights[3]
    for i in range(out.size):
        out[i] += first * a[i] + second * b[i] + third * c[i] + fourth * d[i]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _two(a: Array, b: Array, weights: Array, out: Array) -> None:
    first, second = weights[0], weights[1]
    for i in range(out.size):
        out[i] += first * a[i] + second * b[i]


@njit(cache=True, nogil=True)
def _weigh(rows: Array, first: int, taps: Array, out: Array) -> None:
    """Weighted rows ``first``, ``first`` + 1, ... added to ``out``; the last is before the first.

    There are 1, 2, or a multiple of 4, taps.
    """
    n = rows.shape[0]
    if taps.size == 1:
        weight, row = taps[0], rows[first % n]
        for i in range(out.size):
            out[i] += weight * row[i]
        return
    if taps.size == 2:
        _two(rows[first % n], rows[(first + 1) % n], taps, out)
        return
    for tap in range(0, taps.size, 4):
        a, b = (first + tap) % n, (first + tap + 1) % n
        c, d = (first + tap + 2) % n, (first + tap + 3) % n
        _four(rows[a], rows[b], rows[c], rows[d], taps[tap : tap + 4], out)


@njit(cache=True, nogil=True)
def _weigh_places(row: Array, taps: Array, out: Array) -> None:
    """Weighted complex neighbours, real and imaginary parts by turns, added to ``out``."""
    n = out.size
    if taps.size == 1:
        for i in range(n):
            out[i] += taps[0] * row[i]
    elif taps.size == 2:
        _two(row[:n], row[2 : n + 2], taps, out)
    else:
        _four(row[:n], row[2 : n + 2], row[4 : n + 4], row[6 : n + 6], taps, out)


@njit(cache=True, nogil=True)
def _split_columns(plane: Array, low: Array, high: Array, out: Array) -> None:
    half = plane.shape[0] // 2
    out[:] = 0
    for place in range(half):
        first = 2 * place + 2 - low.size
        _weigh(plane, first, low, out[place])
        _weigh(plane, first, high, out[half + place])


@njit(cache=True, nogil=True)
def _join_columns(bands: Array, taps: Array, out: Array) -> None:
    """``taps``: low ones of even places, high ones of even places, both of odd places, turned."""
    half = bands.shape[0] // 2
    out[:] = 0
    for place in range(half):
        for parity in range(2):
            row = out[2 * place + parity]
            _weigh(bands[:half], place, taps[2 * parity], row)
            _weigh(bands[half:], place, taps[2 * parity + 1], row)


@njit(cache=True, nogil=True)
def _split_rows(plane: Array, low: Array, high: Array, out: Array) -> None:
    """Even and odd places are laid apart first: neighbours then stand side by side."""
    length = plane.shape[1]
    half, reach = length // 4, low.size // 2
    lead = 2 * (reach - 1)
    even = np.empty(2 * half + lead, plane.dtype)
    odd = np.empty_like(even)
    for line in range(plane.shape[0]):
        row, coarse, fine = plane[line], out[line, : 2 * half], out[line, 2 * half : length]
        for i in range(half):
            place = lead + 2 * i
            even[place], even[place + 1] = row[4 * i], row[4 * i + 1]
            odd[place], odd[place + 1] = row[4 * i + 2], row[4 * i + 3]
        for i in range(lead - 1, -1, -1):
            even[i], odd[i] = even[i + 2 * half], odd[i + 2 * half]
        out[line, :length] = 0
        _weigh_places(even, low[::2], coarse)
        _weigh_places(odd, low[1::2], coarse)
        _weigh_places(even, high[::2], fine)
        _weigh_places(odd, high[1::2], fine)


@njit(cache=True, nogil=True)
def _join_rows(bands: Array, taps: Array, out: Array) -> None:
    length = bands.shape[1]
    half, trail = length // 4, 2 * (taps.shape[1] - 1)
    coarse = np.empty(2 * half + trail, bands.dtype)
    fine = np.empty_like(coarse)
    even, odd = np.empty(2 * half, bands.dtype), np.empty(2 * half, bands.dtype)
    for line in range(bands.shape[0]):
        row = bands[line]
        coarse[: 2 * half] = row[: 2 * half]
        fine[: 2 * half] = row[2 * half : length]
        for i in range(2 * half, 2 * half + trail):
            coarse[i], fine[i] = coarse[i - 2 * half], fine[i - 2 * half]
        even[:], odd[:] = 0, 0
        _weigh_places(coarse, taps[0], even)
        _weigh_places(fine, taps[1], even)
        _weigh_places(coarse, taps[2], odd)
        _weigh_places(fine, taps[3], odd)
        for i in range(half):
            out[line, 4 * i], out[line, 4 * i + 1] = even[2 * i], even[2 * i + 1]
            out[line, 4 * i + 2], out[line, 4 * i + 3] = odd[2 * i], odd[2 * i + 1]


@njit(cache=True, nogil=True)
def decompose(
    planes: Array, low: Array, high: Array, levels: int, work: Array, start: int, stop: int
) -> None:
    """Planes ``start`` to ``stop`` (height, 2 width) become their coefficients, in place."""
    for which in range(start, stop):
        height, width = planes.shape[1:]
        for _ in range(levels):
            plane, room = planes[which, :height, :width], work[which, :height, :width]
            _split_columns(plane, low, high, room)
            _split_rows(room, low, high, plane)
            height, width = height // 2, width // 2


@njit(cache=True, nogil=True)
def recompose(planes: Array, taps: Array, levels: int, work: Array, start: int, stop: int) -> None:
    """The inverse of :func:`decompose`, in place."""
    for which in range(start, stop):
        for level in range(levels - 1, -1, -1):
            height, width = planes.shape[1] >> level, planes.shape[2] >> level
            plane, room = planes[which, :height, :width], work[which, :height, :width]
            _join_rows(plane, taps, room)
            _join_columns(room, taps, plane)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def shrink(planes: Array, thresholds: Array, start: int, stop: int) -> None:
    """Pull complex values towards 0 by the threshold of their plane, in place."""
    for which in range(start, stop):
        threshold = thresholds[which]
        for line in range(planes.shape[1]):
            row = planes[which, line]
            for i in range(row.size // 2):
                real, imaginary = row[2 * i], row[2 * i + 1]
                size = np.sqrt(real * real + imaginary * imaginary)
                kept = size - threshold if size > threshold else np.float32(0)
                factor = kept / size if size > threshold else np.float32(0)
                row[2 * i], row[2 * i + 1] = factor * real, factor * imaginary
