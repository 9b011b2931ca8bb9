"""Compiled phase congruency for the CPU: how far the waves of one orientation agree."""

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["agreement"]

Array = npt.NDArray[np.floating]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _agree(
    first: Array,
    second: Array,
    third: Array,
    fourth: Array,
    limits: Array,
    energy: Array,
    finest: Array,
    sizes: Array,
) -> None:
    """One row.  Its four scales are written out: a loop over them keeps pixels from vectors."""
    rounding, tiny = limits[0], limits[1]
    for i in range(energy.size):
        # Real parts, then imaginary ones, which lie between them.
        a, b, c, d = first[2 * i], second[2 * i], third[2 * i], fourth[2 * i]
        p, q, r, s = first[2 * i + 1], second[2 * i + 1], third[2 * i + 1], fourth[2 * i + 1]
        finest[i] = np.sqrt(a * a + p * p + tiny)
        coarse = np.sqrt(c * c + r * r + tiny) + np.sqrt(d * d + s * s + tiny)
        sizes[i] = finest[i] + np.sqrt(b * b + q * q + tiny) + coarse
        even, odd = a + b + c + d, p + q + r + s
        length = np.sqrt(even * even + odd * odd + tiny) + rounding
        across = abs(p * even - a * odd) + abs(q * even - b * odd)
        across += abs(r * even - c * odd) + abs(s * even - d * odd)
        energy[i] = length - across / length


@njit(cache=True, nogil=True)
def agreement(
    waves: Array, limits: Array, energy: Array, finest: Array, sizes: Array, start: int, stop: int
) -> None:
    """Energy along the mean phase less what is across it, and amplitudes.

    Args:
        waves: Four scales, (images, 4, height, 2 width): real and imaginary parts by turns.
        limits: What is added to the length of the sum of waves, and under roots.
        energy: To be filled, (images, height, width).
        finest: Amplitude of the first scale, to be filled likewise.
        sizes: Sum of the amplitudes, to be filled likewise.
        start: First of the rows to be worked on, counted throughout the images.
        stop: After the last.
    """
    height = energy.shape[1]
    for line in range(start, stop):
        image, row = line // height, line % height
        _agree(
            waves[image, 0, row],
            waves[image, 1, row],
            waves[image, 2, row],
            waves[image, 3, row],
            limits,
            energy[image, row],
            finest[image, row],
            sizes[image, row],
        )
