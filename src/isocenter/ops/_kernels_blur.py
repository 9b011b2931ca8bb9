"""Compiled separable smoothing for the CPU: one pass over the image, three blurs in cache."""

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["blur_planes"]

Array = npt.NDArray[np.float32]


@njit(cache=True, nogil=True, inline="always")
def _mirror(index: int, n: int) -> int:
    """Voxel that stands for ``index``: the image is mirrored at its borders, again and again."""
    index = index % (2 * n)
    return index if index < n else 2 * n - 1 - index


@njit(cache=True, nogil=True, fastmath={"contract"})
def _scale(source: Array, weight: float, out: Array) -> None:
    for c in range(out.size):
        out[c] = weight * source[c]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add_pair(left: Array, right: Array, weight: float, out: Array) -> None:
    for c in range(out.size):
        out[c] += weight * (left[c] + right[c])


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add_two_pairs(
    a: Array, b: Array, first: float, c: Array, d: Array, second: float, out: Array
) -> None:
    for i in range(out.size):
        out[i] += first * (a[i] + b[i]) + second * (c[i] + d[i])


@njit(cache=True, nogil=True)
def _blur_row(lines: Array, index: int, half: Array, out: Array) -> None:
    """Weighted sum of whole rows of ``lines`` around ``index``; ``half`` is one side's taps."""
    n, radius = lines.shape[0], half.size - 1
    _scale(lines[index], half[0], out)
    step = 1
    while step + 1 <= radius:
        _add_two_pairs(
            lines[_mirror(index - step, n)],
            lines[_mirror(index + step, n)],
            half[step],
            lines[_mirror(index - step - 1, n)],
            lines[_mirror(index + step + 1, n)],
            half[step + 1],
            out,
        )
        step += 2
    if step <= radius:
        left, right = lines[_mirror(index - step, n)], lines[_mirror(index + step, n)]
        _add_pair(left, right, half[step], out)


@njit(cache=True, nogil=True)
def _blur_within(row: Array, half: Array, padded: Array, out: Array) -> None:
    """Blur along one row, from a mirrored copy of it."""
    n, radius = row.size, half.size - 1
    for c in range(n + 2 * radius):
        padded[c] = (
            row[_mirror(c - radius, n)] if c < radius or c >= n + radius else row[c - radius]
        )
    _scale(padded[radius : radius + n], half[0], out)
    for step in range(1, radius + 1):
        left, right = (
            padded[radius - step : radius - step + n],
            padded[radius + step : radius + step + n],
        )
        _add_pair(left, right, half[step], out)


@njit(cache=True, nogil=True)
def blur_planes(
    data: Array, half_x: Array, half_y: Array, half_z: Array, out: Array, start: int, stop: int
) -> None:
    """Blur planes ``start`` to ``stop`` along x, y, z; taps of one side, the centre first.

    A single tap leaves its axis alone. All arrays are contiguous.
    """
    n_x, n_y, n_z = data.shape
    planes = data.reshape(n_x, n_y * n_z)
    across = np.empty((n_y, n_z), np.float32)
    row = np.empty(n_z, np.float32)
    padded = np.empty(n_z + 2 * half_z.size, np.float32)
    for i in range(start, stop):
        if half_x.size > 1:
            _blur_row(planes, i, half_x, across.reshape(-1))
        else:
            across[:] = data[i]
        for j in range(n_y):
            _blur_row(across, j, half_y, row)
            _blur_within(row, half_z, padded, out[i, j])
