"""Compiled trilinear resampling for the CPU."""

import math

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["trilinear"]

Array = npt.NDArray[np.float32]


@njit(cache=True, nogil=True, inline="always")
def _sample(data: Array, x: float, y: float, z: float) -> float:
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
    return a0 + u * (a1 - a0)


@njit(cache=True, nogil=True)
def trilinear(
    data: Array,
    matrix: npt.NDArray[np.float64],
    offset: npt.NDArray[np.float64],
    fill: float,
    clamp: bool,
    out: Array,
    start: int,
    stop: int,
) -> None:
    """``out[i, j, k] = data(matrix @ (i, j, k) + offset)`` for ``start <= i < stop``.

    A position more than half a voxel outside ``data`` gets ``fill``, or with ``clamp`` the
    nearest border value.
    """
    n_x, n_y, n_z = data.shape
    _, n_j, n_k = out.shape
    for i in range(start, stop):
        for j in range(n_j):
            x0 = matrix[0, 0] * i + matrix[0, 1] * j + offset[0]
            y0 = matrix[1, 0] * i + matrix[1, 1] * j + offset[1]
            z0 = matrix[2, 0] * i + matrix[2, 1] * j + offset[2]
            for k in range(n_k):
                x = x0 + matrix[0, 2] * k
                y = y0 + matrix[1, 2] * k
                z = z0 + matrix[2, 2] * k
                inside = -0.5 <= x < n_x - 0.5 and -0.5 <= y < n_y - 0.5 and -0.5 <= z < n_z - 0.5
                if inside or clamp:
                    out[i, j, k] = _sample(data, x, y, z)
                else:
                    out[i, j, k] = fill
