"""Compiled trilinear resampling for the CPU."""

import math

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["trilinear"]

Array = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]


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


@njit(cache=True, nogil=True, inline="always")
def _interior(
    flat: Array,
    n_y: int,
    n_z: int,
    row: Array,
    place: tuple[float, ...],
    step: tuple[float, ...],
    start: int,
    stop: int,
) -> None:
    """All eight neighbours exist: no test, no clamp, and unsigned indices wrap nowhere."""
    for k in range(start, stop):
        x, y, z = place[0] + k * step[0], place[1] + k * step[1], place[2] + k * step[2]
        i, j, m = np.int64(x), np.int64(y), np.int64(z)
        u, v, w = np.float32(x - i), np.float32(y - j), np.float32(z - m)
        p00 = np.uint64((i * n_y + j) * n_z + m)
        p01 = p00 + np.uint64(n_z)
        p10 = p00 + np.uint64(n_y * n_z)
        p11 = p10 + np.uint64(n_z)
        one = np.uint64(1)
        a00 = flat[p00] + w * (flat[p00 + one] - flat[p00])
        a01 = flat[p01] + w * (flat[p01 + one] - flat[p01])
        a10 = flat[p10] + w * (flat[p10 + one] - flat[p10])
        a11 = flat[p11] + w * (flat[p11 + one] - flat[p11])
        a0 = a00 + v * (a01 - a00)
        a1 = a10 + v * (a11 - a10)
        row[k] = a0 + u * (a1 - a0)


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
    step = (matrix[0, 2], matrix[1, 2], matrix[2, 2])
    for i in range(start, stop):
        for j in range(n_j):
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
                _interior(flat, n_y, n_z, row, place, step, low, high)
                _border(data, row, place, step, fill, clamp, high, last)
            else:
                _border(data, row, place, step, fill, clamp, first, last)
