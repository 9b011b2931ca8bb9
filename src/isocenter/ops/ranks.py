"""Where a number stands among known ones, by their quantiles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.special

__all__ = ["mid_rank", "normal_scores"]

Array = npt.NDArray[np.float64]


def mid_rank(values: npt.ArrayLike, quantiles: npt.ArrayLike, levels: npt.ArrayLike) -> Array:
    """Share of known numbers below each value, those equal to it counted half.

    Args:
        values: Any shape, finite.
        quantiles: (L,), increasing; equal neighbours stand for a value that occurs often.
        levels: (L,), increasing, in [0, 1]: the share of known numbers up to each quantile.

    Returns:
        Shape of ``values``; linear between quantiles, the outermost levels beyond them.
    """
    values, quantiles = np.asarray(values, float), np.asarray(quantiles, float)
    levels = np.asarray(levels, float)
    # Among equal quantiles the search from below ends at the last, from above at the first.
    below = np.interp(values, quantiles, levels)
    above = np.interp(-values, -quantiles[::-1], 1 - levels[::-1])
    return np.asarray((below + 1 - above) / 2)


def normal_scores(values: npt.ArrayLike, quantiles: npt.ArrayLike) -> Array:
    """Every column mapped so that known numbers follow a standard normal distribution.

    Args:
        values: (N, K), finite.
        quantiles: (L, K), the L evenly spaced quantiles of each column from minimum to maximum.

    Returns:
        (N, K); a value beyond the known ones gets the score of the outermost 1 / (2 L).
    """
    values, quantiles = np.asarray(values, float), np.asarray(quantiles, float)
    n_levels = len(quantiles)
    levels = np.linspace(0, 1, n_levels)
    ranks = np.stack(
        [
            mid_rank(column, known, levels)
            for column, known in zip(values.T, quantiles.T, strict=True)
        ],
        axis=1,
    )
    edge = 0.5 / n_levels
    scores: Array = scipy.special.ndtri(np.clip(ranks, edge, 1 - edge))
    return scores
