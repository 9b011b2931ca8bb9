"""Compiled structural similarity for the CPU: from two images to row means, in one pass."""

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.ops._kernels_windows import weigh_places, weigh_rows

__all__ = ["similar_rows"]

Array = npt.NDArray[np.floating]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _products(x: Array, y: Array, energy: Array, product: Array) -> None:
    for i in range(x.size):
        energy[i] = x[i] * x[i] + y[i] * y[i]
        product[i] = x[i] * y[i]


@njit(cache=True, nogil=True)
def _moments(x: Array, y: Array, out: Array) -> None:
    """Every row of two planes with its powers, (height, width) to (height, 4, width)."""
    for row in range(len(x)):
        out[row, 0], out[row, 1] = x[row], y[row]
        _products(x[row], y[row], out[row, 2], out[row, 3])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _compare(
    mean_x: Array, mean_y: Array, energy: Array, product: Array, steady: Array
) -> tuple[float, float]:
    """Sums of the similarity and of its second factor."""
    c1, c2 = steady[0], steady[1]
    similar = structured = 0.0
    for i in range(mean_x.size):
        x, y = mean_x[i], mean_y[i]
        means, both = x * x + y * y, x * y + x * y
        structure = (product[i] + product[i] - both + c2) / (energy[i] - means + c2)
        structured += structure
        similar += structure * ((both + c1) / (means + c1))
    return similar, structured


@njit(cache=True, nogil=True)
def similar_rows(
    x: Array, y: Array, taps: Array, steady: Array, out: Array, start: int, stop: int
) -> None:
    """Means over rows of the similarity and of its second factor, where the window fits.

    Args:
        x: Image (blocks, depth, height, width); the height of a plane counts as its depth.
        y: Reference, same shape.
        taps: Of the window along the width, the depth, and a height above 1.
        steady: The constants of luminance and structure.
        out: (blocks, places along depth, places along height, 2), float64.
        start: First of the places along depth to be filled, counted throughout the blocks.
        stop: After the last.
    """
    n_depths, n_heights = out.shape[1:3]
    height, width = x.shape[2:]
    reach, n = taps.size, width - taps.size + 1
    # A ring: of the planes that a window reaches, all but one serve the next window too.
    ring = np.empty((reach, height, 4, width), x.dtype)
    lines, turns = ring.reshape(reach, -1), np.arange(2 * reach) % reach
    heights = np.arange(height)
    plane, line = np.empty((height, 4 * width), x.dtype), np.empty(4 * width, x.dtype)
    sums = np.empty(4 * width - reach + 1, x.dtype)
    for place in range(start, stop):
        block, depth = place // n_depths, place % n_depths
        fresh = 0 if place == start or depth == 0 else reach - 1
        for at in range(depth + fresh, depth + reach):
            _moments(x[block, at], y[block, at], ring[at % reach])
        oldest = depth % reach
        weigh_rows(lines, turns[oldest : oldest + reach], taps, plane.reshape(-1))
        for row in range(n_heights):
            if height > 1:
                weigh_rows(plane, heights[row : row + reach], taps, line)
                weigh_places(line, taps, sums)
            else:
                weigh_places(plane[0], taps, sums)
            totals = _compare(
                sums[:n],
                sums[width : width + n],
                sums[2 * width : 2 * width + n],
                sums[3 * width : 3 * width + n],
                steady,
            )
            out[block, depth, row, 0], out[block, depth, row, 1] = totals[0] / n, totals[1] / n
