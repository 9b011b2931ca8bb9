"""Compiled trilinear resampling for the CPU."""

import math

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["trilinear"]

Array = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]
Scratch = tuple[npt.NDArray[np.uint32], Array]
"""For each position of a chunk: offset of the voxel below, and the distances from it."""

CHUNK = 32
"""Positions worked out at once."""
TILE = 64
"""Rows made before the next plane, which needs almost the same voxels, still cached then."""


@njit(cache=True, nogil=True, inline="always")
def _clamped(data: Array, x: float, y: float, z: float) -> float:
    """Value at a voxel position, neighbours beyond the border taken from the border."""
    n_x, n_y, n_z = data.shape
    i, j, k = math.floor(x), math.floor(y), math.floor(z)
    u, v, w = np.float32(x - i), np.float32(y - j), np.float32(z - k)
    i0, i1 = min(max(i, 0), n_x - 1), min(max(i + 1, 0), n_x - 1)
    j0, j1 = min(max(j, 0), n_y - 1), min(max(j + 1, 0), n_y - 1)
    k0, k1 = min(max(k, 0), n_z - 1), min(max(k + 1, 0), n_z - 1)
    a00 = data[i0, j0, k0] + w * (data[i0, j0, k1] - data[i0, j0, k0])
    a01 = data[i0, j1, k0] + w * (data[i0, j1, k1] - data[i0, j1, k0])
    a10 = data[i1, j0, k0] + w * (data[i1, j0, k1] - data[i1, j0, k0])
    a11 = data[i1, j1, k0] + w * (data[i1, j1, k1] - data[i1, j1, k0])
    a0 = a00 + v * (a01 - a00)
    a1 = a10 + v * (a11 - a10)
    value: float = a0 + u * (a1 - a0)
    return value


@njit(cache=True, nogil=True, inline="always")
def _crossings(start: float, step: float, last: float, n: int) -> tuple[float, float]:
    """Where ``start + k * step`` crosses 0 and ``last``, in order, near 0 to ``n``."""
    first, end = -start / step, (last - start) / step
    if step < 0.0:
        first, end = end, first
    return min(max(first, -4.0), n + 4.0), min(max(end, -4.0), n + 4.0)


@njit(cache=True, nogil=True, inline="always")
def _within(start: float, step: float, last: int, low: int, high: int) -> tuple[int, int]:
    """The part of ``low <= k < high`` where ``0 <= start + k * step < last``, or less."""
    if step == 0.0:
        return (low, high) if 0.0 <= start < last else (low, low)
    first, end = _crossings(start, step, last, high)
    # A step of margin on either side: rounding must never let a position out.
    begin, finish = max(low, math.ceil(first) + 1), min(high, math.floor(end) - 1)
    return (begin, finish) if begin < finish else (low, low)


@njit(cache=True, nogil=True, inline="always")
def _near(start: float, step: float, n: int, low: int, high: int) -> tuple[int, int]:
    """The part of ``low <= k < high`` that may lie within half a voxel of ``n`` voxels."""
    if step == 0.0:
        return (low, high) if -0.5 <= start < n - 0.5 else (low, low)
    first, end = _crossings(start + 0.5, step, n, high)
    begin, finish = max(low, math.floor(first) - 1), min(high, math.ceil(end) + 2)
    return (begin, finish) if begin < finish else (low, low)


@njit(cache=True, nogil=True, inline="always")
def _border(
    data: Array,
    row: Array,
    place: tuple[float, ...],
    step: tuple[float, ...],
    fill: float,
    clamp: bool,
    start: int,
    stop: int,
) -> None:
    n_x, n_y, n_z = data.shape
    for k in range(start, stop):
        x, y, z = place[0] + k * step[0], place[1] + k * step[1], place[2] + k * step[2]
        inside = -0.5 <= x < n_x - 0.5 and -0.5 <= y < n_y - 0.5 and -0.5 <= z < n_z - 0.5
        row[k] = _clamped(data, x, y, z) if inside or clamp else fill


@njit(cache=True, nogil=True, inline="always", fastmath={"contract"})
def _interior(
    flat: Array,
    n_y: int,
    n_z: int,
    row: Array,
    place: tuple[float, ...],
    step: tuple[float, ...],
    start: int,
    stop: int,
    scratch: Scratch,
) -> None:
    """All eight neighbours exist: no test, no clamp, and unsigned indices wrap nowhere.

    Positions first, in whole vectors, ``CHUNK`` at a time and counted from the chunk's own
    corner, so that single precision holds them; then the values.
    """
    below, shares = scratch
    one, next_y, next_x = np.uintp(1), np.uintp(n_z), np.uintp(n_y * n_z)
    for first in range(start, stop, CHUNK):
        n = min(CHUNK, stop - first)
        x, corner_x = _from_corner(place[0] + first * step[0], step[0], n)
        y, corner_y = _from_corner(place[1] + first * step[1], step[1], n)
        z, corner_z = _from_corner(place[2] + first * step[2], step[2], n)
        for k in range(n):
            at = np.float32(np.int32(k))
            x_k = x + at * np.float32(step[0])
            y_k = y + at * np.float32(step[1])
            z_k = z + at * np.float32(step[2])
            i, j, m = np.int32(x_k), np.int32(y_k), np.int32(z_k)
            shares[0, k], shares[1, k] = x_k - np.float32(i), y_k - np.float32(j)
            shares[2, k] = z_k - np.float32(m)
            below[k] = np.uint32((i * np.int32(n_y) + j) * np.int32(n_z) + m)
        base = np.uintp((corner_x * n_y + corner_y) * n_z + corner_z)
        for k in range(n):
            u, v, w = shares[0, k], shares[1, k], shares[2, k]
            p00 = base + np.uintp(below[k])
            p01, p10 = p00 + next_y, p00 + next_x
            p11 = p10 + next_y
            a0 = flat[p00] + v * (flat[p01] - flat[p00])
            a1 = flat[p10] + v * (flat[p11] - flat[p10])
            b0 = flat[p00 + one] + v * (flat[p01 + one] - flat[p00 + one])
            b1 = flat[p10 + one] + v * (flat[p11 + one] - flat[p10 + one])
            a, b = a0 + u * (a1 - a0), b0 + u * (b1 - b0)
            row[first + k] = a + w * (b - a)


@njit(cache=True, nogil=True, inline="always")
def _from_corner(place: float, step: float, n: int) -> tuple[np.float32, int]:
    """The first of ``n`` positions, counted from the whole voxel below all of them."""
    corner = math.floor(min(place, place + (n - 1) * step))
    return np.float32(place - corner), corner


@njit(cache=True, nogil=True)
def trilinear(
    data: Array,
    matrix: Matrix,
    offset: Matrix,
    fill: float,
    clamp: bool,
    out: Array,
    start: int,
    stop: int,
) -> None:
    """``out[i, j, k] = data(matrix @ (i, j, k) + offset)`` for ``start <= i < stop``.

    A position more than half a voxel outside ``data`` gets ``fill``, or with ``clamp`` the
    nearest border value. Both arrays are contiguous.
    """
    n_x, n_y, n_z = data.shape
    _, n_j, n_k = out.shape
    flat = data.reshape(-1)
    scratch = np.empty(CHUNK, np.uint32), np.empty((3, CHUNK), np.float32)
    step = (matrix[0, 2], matrix[1, 2], matrix[2, 2])
    for tile in range((n_j + TILE - 1) // TILE):
        for row_number in range((stop - start) * TILE):
            i, j = start + row_number // TILE, tile * TILE + row_number % TILE
            if j >= n_j:
                continue
            place = (
                matrix[0, 0] * i + matrix[0, 1] * j + offset[0],
                matrix[1, 0] * i + matrix[1, 1] * j + offset[1],
                matrix[2, 0] * i + matrix[2, 1] * j + offset[2],
            )
            low, high = _within(place[0], step[0], n_x - 1, 0, n_k)
            low, high = _within(place[1], step[1], n_y - 1, low, high)
            low, high = _within(place[2], step[2], n_z - 1, low, high)
            row = out[i, j]
            first, last = 0, n_k
            if not clamp:
                row[:] = fill
                first, last = _near(place[0], step[0], n_x, first, last)
                first, last = _near(place[1], step[1], n_y, first, last)
                first, last = _near(place[2], step[2], n_z, first, last)
            if low < high:
                _border(data, row, place, step, fill, clamp, first, low)
                _interior(flat, n_y, n_z, row, place, step, low, high, scratch)
                _border(data, row, place, step, fill, clamp, high, last)
            else:
                _border(data, row, place, step, fill, clamp, first, last)
