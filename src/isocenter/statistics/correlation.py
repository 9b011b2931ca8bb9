"""Correlation of scores with opinions, and how sure it is."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.stats

from isocenter.errors import UsageError
from isocenter.statistics._inputs import Array, Matrix, between_0_and_1, columns, finite

__all__ = [
    "krocc",
    "krocc_interval",
    "oriented",
    "plcc",
    "plcc_interval",
    "srocc",
    "srocc_interval",
    "srocc_of_all",
]


def oriented(scores: npt.ArrayLike, better: Literal["higher", "lower"]) -> Array:
    """Scores whose higher values are the better ones, so that correlations share one sign."""
    (values,) = columns(scores)
    return values if better == "higher" else -values


def srocc(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Spearman's rank correlation, -1 to 1; NaN where one side is constant or a value is NaN.

    Infinite scores have a rank, so they are welcome.

    Raises:
        UsageError: ``x`` and ``y`` differ in length.
    """
    x, y = columns(x, y)
    return float("nan") if _without_order(x, y) else float(scipy.stats.spearmanr(x, y).statistic)


def srocc_of_all(table: Matrix, opinions: Array) -> Array:
    """:func:`srocc` of every row of a table (methods, images); NaN where one is constant."""
    ranks = scipy.stats.rankdata(np.vstack([table, opinions]), axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    length = np.sqrt(np.sum(ranks**2, axis=1))
    with np.errstate(invalid="ignore"):
        return np.asarray(ranks[:-1] @ ranks[-1] / (length[:-1] * length[-1]))


def krocc(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Kendall's tau-b, -1 to 1, corrected for ties on both sides; NaN as for :func:`srocc`.

    Source: Kendall, Biometrika 33(3), 1945, doi:10.1093/biomet/33.3.239.

    Raises:
        UsageError: ``x`` and ``y`` differ in length.
    """
    x, y = columns(x, y)
    return float("nan") if _without_order(x, y) else float(scipy.stats.kendalltau(x, y).statistic)


def plcc(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Pearson's correlation, -1 to 1, of the values as they are; NaN where one side is constant.

    After a fit, give the fitted scores as ``x``, and never mix the two kinds in one table.

    Raises:
        UsageError: ``x`` and ``y`` differ in length.
        InputError: A value is infinite or missing.
    """
    x, y = columns(x, y)
    finite("scores", x), finite("opinions", y)
    return float("nan") if _without_order(x, y) else float(scipy.stats.pearsonr(x, y).statistic)


def srocc_interval(rho: float, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of Spearman's correlation of ``n`` images.

    Fisher's z with a standard error of sqrt((1 + rho^2 / 2) / (n - 3)).

    Source: Bonett & Wright, Psychometrika 65, 2000, doi:10.1007/BF02294183.

    >>> low, high = srocc_interval(0.80, 112)
    >>> f"{low:.2f} to {high:.2f}"
    '0.71 to 0.87'

    Raises:
        UsageError: Fewer than four images, or a level outside (0, 1).
    """
    return _fisher(rho, _variance_over(1 + rho**2 / 2, n, 3), level)


def krocc_interval(tau: float, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of Kendall's correlation: Fisher's z, standard error sqrt(0.437 / (n - 4)).

    Source: Fieller, Hartley & Pearson, Biometrika 44, 1957, doi:10.1093/biomet/44.3-4.470.

    Raises:
        UsageError: Fewer than five images, or a level outside (0, 1).
    """
    return _fisher(tau, _variance_over(0.437, n, 4), level)


def plcc_interval(r: float, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of Pearson's correlation: Fisher's z, standard error sqrt(1 / (n - 3)).

    After a fit it is too narrow, since the fit has seen the opinions.

    Source: Fisher, Metron 1, 1921.

    Raises:
        UsageError: Fewer than four images, or a level outside (0, 1).
    """
    return _fisher(r, _variance_over(1.0, n, 3), level)


def _without_order(x: Array, y: Array) -> bool:
    if len(x) < 2 or np.isnan(x).any() or np.isnan(y).any():
        return True
    return bool((x == x[0]).all() or (y == y[0]).all())


def _variance_over(numerator: float, n: int, lost: int) -> float:
    if n <= lost:
        raise UsageError(f"an interval needs more than {lost} images, not {n}")
    return numerator / (n - lost)


def _fisher(correlation: float, variance: float, level: float) -> tuple[float, float]:
    between_0_and_1("level", level)
    if abs(correlation) >= 1:
        return correlation, correlation
    reach = float(scipy.stats.norm.ppf((1 + level) / 2)) * math.sqrt(variance)
    z = math.atanh(correlation)
    return math.tanh(z - reach), math.tanh(z + reach)
