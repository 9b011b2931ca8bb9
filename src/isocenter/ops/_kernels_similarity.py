"""Compiled comparisons in windows for the CPU: from two images to row means, in one pass.

The taps of a window are tuples: its length is then known when it is compiled, and one loop over
places adds all of them in registers.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["informative_rows", "similar_rows"]

Array = npt.NDArray[np.floating]
Taps = tuple[float, ...]
Turned = tuple[Taps, ...]
SHORT = 12
"""Taps that the compiler unrolls; it leaves a loop of many more as it is, ten times slower."""
LINE = 16
"""Values of a cache line: rows this much longer do not all fall on the same few lines."""


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _weigh_rows(rows: Array, first: int, taps: Taps, out: Array) -> None:
    for i in range(out.size):
        total = taps[0] * rows[first, i]
        for tap in range(1, min(SHORT, len(taps))):
            total += taps[tap] * rows[first + tap, i]
        for tap in range(SHORT, len(taps)):
            total += taps[tap] * rows[first + tap, i]
        out[i] = total


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _weigh_places(row: Array, taps: Taps, out: Array) -> None:
    for i in range(out.size):
        total = taps[0] * row[i]
        for tap in range(1, min(SHORT, len(taps))):
            total += taps[tap] * row[i + tap]
        for tap in range(SHORT, len(taps)):
            total += taps[tap] * row[i + tap]
        out[i] = total


@njit(cache=True, nogil=True, fastmath={"contract"})
def _four(x: Array, y: Array, out: Array) -> None:
    n = x.size
    for i in range(n):
        a, b = x[i], y[i]
        out[i], out[n + i], out[2 * n + i], out[3 * n + i] = a, b, a * a + b * b, a * b


@njit(cache=True, nogil=True, fastmath={"contract"})
def _five(x: Array, y: Array, out: Array) -> None:
    n = x.size
    for i in range(n):
        a, b = x[i], y[i]
        out[i], out[n + i], out[2 * n + i], out[3 * n + i] = a, b, a * a, a * b
        out[4 * n + i] = b * b


@njit(cache=True, nogil=True)
def _moments(x: Array, y: Array, n_moments: int, out: Array) -> None:
    """Every row of two planes with its powers, (height, width) to (height, moments * width)."""
    for row in range(len(x)):
        if n_moments == 4:
            _four(x[row], y[row], out[row])
        else:
            _five(x[row], y[row], out[row])


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _compare(sums: Array, width: int, n: int, steady: Array) -> tuple[float, float]:
    """Sums of the similarity and of its second factor."""
    c1, c2 = steady[0], steady[1]
    similar = structured = 0.0
    for i in range(n):
        x, y, energy, product = sums[i], sums[width + i], sums[2 * width + i], sums[3 * width + i]
        means, both = x * x + y * y, x * y + x * y
        structure = (product + product - both + c2) / (energy - means + c2)
        structured += structure
        similar += structure * ((both + c1) / (means + c1))
    return similar, structured


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
def _inform(sums: Array, width: int, flat: float, noise: float, kept: Array, there: Array) -> None:
    """Ratios of signal to noise of every place; a comparison with NaN leaves it NaN."""
    for i in range(kept.size):
        x, y = sums[i], sums[width + i]
        own, true = sums[2 * width + i] - x * x, sums[4 * width + i] - y * y
        common = sums[3 * width + i] - x * y
        own = flat * 0 if own < 0 else own
        true = flat * 0 if true < flat else true
        gain = flat * 0 if true == 0 else common / true
        gain = flat * 0 if gain < 0 or own < flat else gain
        spoiled = own - gain * common
        spoiled = flat if spoiled < flat else spoiled
        kept[i] = gain * gain * true / (spoiled + noise)
        there[i] = true / noise


@njit(cache=True, nogil=True)
def _room(x: Array, reach: int, n_moments: int) -> tuple[Array, Array, Array, Array]:
    """A ring of planes, their weighted sum, a row of it weighted, and its places.

    Of the planes that a window reaches, all but one serve the next window too.
    """
    height, width = x.shape[2:]
    wide = n_moments * width
    ring = np.empty((reach, height * wide + LINE), x.dtype)
    plane, line = np.empty((height, wide), x.dtype), np.empty(wide, x.dtype)
    return ring, plane, line, np.empty(wide - reach + 1, x.dtype)


@njit(cache=True, nogil=True)
def _advance(
    x: Array, y: Array, depth: int, anew: bool, turned: Turned, ring: Array, plane: Array
) -> None:
    """The plane of weighted moments at a depth, from the ring and what is new in it."""
    reach, (height, wide) = len(turned), plane.shape
    for at in range(depth if anew else depth + reach - 1, depth + reach):
        rows = ring[at % reach, : height * wide].reshape(height, wide)
        _moments(x[at], y[at], wide // x.shape[2], rows)
    _weigh_rows(ring, 0, turned[depth % reach], plane.reshape(-1))


@njit(cache=True, nogil=True)
def _weigh_row(plane: Array, row: int, taps: Taps, line: Array, sums: Array) -> None:
    if len(plane) > 1:
        _weigh_rows(plane, row, taps, line)
        _weigh_places(line, taps, sums)
    else:
        _weigh_places(plane[0], taps, sums)


@njit(cache=True, nogil=True)
def similar_rows(
    x: Array, y: Array, turned: Turned, steady: Array, out: Array, start: int, stop: int
) -> None:
    """Means over rows of the similarity and of its second factor, where the window fits.

    Args:
        x: Image (blocks, depth, height, width); the height of a plane counts as its depth.
        y: Reference, same shape.
        turned: Taps of the window along the width, the depth, and a height above 1; then
            the same turned further by one each, as a ring of planes holds them.
        steady: The constants of luminance and structure.
        out: (blocks, places along depth, places along height, 2), float64.
        start: First of the places along depth to be filled, counted throughout the blocks.
        stop: After the last.
    """
    n_depths, n_heights = out.shape[1:3]
    width, n = x.shape[3], x.shape[3] - len(turned) + 1
    ring, plane, line, sums = _room(x, len(turned), 4)
    for place in range(start, stop):
        block, depth = place // n_depths, place % n_depths
        _advance(x[block], y[block], depth, place == start or depth == 0, turned, ring, plane)
        for row in range(n_heights):
            _weigh_row(plane, row, turned[0], line, sums)
            totals = _compare(sums, width, n, steady)
            out[block, depth, row, 0], out[block, depth, row, 1] = totals[0] / n, totals[1] / n


@njit(cache=True, nogil=True)
def informative_rows(
    x: Array, y: Array, turned: Turned, levels: Array, out: Array, start: int, stop: int
) -> None:
    """Signal over noise that an image keeps of its reference, and that there was.

    Args:
        x: As :func:`similar_rows`.
        y: Likewise.
        turned: Likewise.
        levels: Variance below which there is none, and that of the noise.
        out: (2, blocks, places along depth, along height, along width), type of the image.
        start: As :func:`similar_rows`.
        stop: Likewise.
    """
    n_depths, n_heights = out.shape[2:4]
    flat, noise = levels[0], levels[1]
    ring, plane, line, sums = _room(x, len(turned), 5)
    for place in range(start, stop):
        block, depth = place // n_depths, place % n_depths
        _advance(x[block], y[block], depth, place == start or depth == 0, turned, ring, plane)
        for row in range(n_heights):
            _weigh_row(plane, row, turned[0], line, sums)
            kept, there = out[0, block, depth, row], out[1, block, depth, row]
            _inform(sums, x.shape[3], flat, noise, kept, there)
