"""Compiled eigenvectors of the small Hermitian matrices that ESPIRiT finds at every pixel.

A few pixels lie side by side in the innermost loops, which become vector code, and their matrices
stay in the nearest cache through all iterations.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["dominant"]

Array = npt.NDArray[np.float32]

LANES = 128
"""Pixels side by side."""
FEW = 4
"""Coils added at once: sums are fetched and stored a quarter as often."""
TINY = np.float32(1e-36)
ONE = np.float32(1)


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add_four(re: Array, im: Array, x: Array, y: Array, out_re: Array, out_im: Array) -> None:
    for lane in range(out_re.size):
        out_re[lane] += (
            (re[0, lane] * x[0, lane] - im[0, lane] * y[0, lane])
            + (re[1, lane] * x[1, lane] - im[1, lane] * y[1, lane])
            + (re[2, lane] * x[2, lane] - im[2, lane] * y[2, lane])
            + (re[3, lane] * x[3, lane] - im[3, lane] * y[3, lane])
        )
        out_im[lane] += (
            (re[0, lane] * y[0, lane] + im[0, lane] * x[0, lane])
            + (re[1, lane] * y[1, lane] + im[1, lane] * x[1, lane])
            + (re[2, lane] * y[2, lane] + im[2, lane] * x[2, lane])
            + (re[3, lane] * y[3, lane] + im[3, lane] * x[3, lane])
        )


@njit(cache=True, nogil=True, fastmath={"contract"})
def _multiply(matrix: Array, vector: Array, out: Array) -> None:
    """``out = matrix vector``; real part and imaginary part are the first axis."""
    out[:] = 0
    for row in range(out.shape[1]):
        for column in range(0, out.shape[1], FEW):
            few = slice(column, column + FEW)
            _add_four(
                matrix[0, row, few],
                matrix[1, row, few],
                vector[0, few],
                vector[1, few],
                out[0, row],
                out[1, row],
            )


@njit(cache=True, nogil=True, fastmath={"contract"})
def _remove(vector: Array, unit: Array, total: Array) -> None:
    """Take the part along ``unit`` away from ``vector``."""
    _, n_coils, n_lanes = vector.shape
    total[:] = 0
    for coil in range(n_coils):
        for lane in range(n_lanes):
            re, im = unit[0, coil, lane], unit[1, coil, lane]
            x, y = vector[0, coil, lane], vector[1, coil, lane]
            total[0, lane] += re * x + im * y
            total[1, lane] += re * y - im * x
    for coil in range(n_coils):
        for lane in range(n_lanes):
            re, im = unit[0, coil, lane], unit[1, coil, lane]
            x, y = total[0, lane], total[1, lane]
            vector[0, coil, lane] -= re * x - im * y
            vector[1, coil, lane] -= re * y + im * x


@njit(cache=True, nogil=True, fastmath={"contract"})
def _normalise(vector: Array, length: Array) -> None:
    _, n_coils, n_lanes = vector.shape
    length[:] = 0
    for coil in range(n_coils):
        for lane in range(n_lanes):
            length[lane] += vector[0, coil, lane] ** 2 + vector[1, coil, lane] ** 2
    for lane in range(n_lanes):
        length[lane] = np.sqrt(length[lane])
    for coil in range(n_coils):
        for lane in range(n_lanes):
            scale = ONE / max(length[lane], TINY)
            vector[0, coil, lane] *= scale
            vector[1, coil, lane] *= scale


@njit(cache=True, nogil=True)
def dominant(
    matrices: Any,
    starts: Any,
    n_iterations: int,
    vectors: Any,
    values: Any,
    first: int,
    last: int,
) -> None:
    """Orthogonal iteration for groups ``first`` to ``last`` of ``LANES`` pixels.

    Args:
        matrices: complex64 (coil, coil, pixel), Hermitian.
        starts: complex64 (set, coil).
        n_iterations: Products taken.
        vectors: complex64 (set, coil, pixel), written.
        values: float32 (set, pixel), written.
        first: Group of pixels.
        last: One behind the last group.
    """
    n_sets, n_coils, n_pixels = vectors.shape
    padded = -(-n_coils // FEW) * FEW
    matrix = np.zeros((2, padded, padded, LANES), np.float32)
    vector = np.zeros((n_sets, 2, padded, LANES), np.float32)
    product = np.zeros((2, padded, LANES), np.float32)
    total = np.zeros((2, LANES), np.float32)
    length = np.zeros((n_sets, LANES), np.float32)
    for group in range(first, last):
        here = group * LANES
        n_lanes = min(LANES, n_pixels - here)
        there = slice(here, here + n_lanes)
        # Lanes behind the last pixel keep what was there: finite, and never handed out.
        matrix[0, :n_coils, :n_coils, :n_lanes] = matrices[:, :, there].real
        matrix[1, :n_coils, :n_coils, :n_lanes] = matrices[:, :, there].imag
        for which in range(n_sets):
            for coil in range(n_coils):
                vector[which, 0, coil] = starts[which, coil].real
                vector[which, 1, coil] = starts[which, coil].imag
        for _ in range(n_iterations):
            for which in range(n_sets):
                _multiply(matrix, vector[which], product)
                for other in range(which):
                    _remove(product, vector[other], total)
                _normalise(product, length[which])
                vector[which] = product
        values[:, there] = length[:, :n_lanes]
        vectors.real[:, :, there] = vector[:, 0, :n_coils, :n_lanes]
        vectors.imag[:, :, there] = vector[:, 1, :n_coils, :n_lanes]
