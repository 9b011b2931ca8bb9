"""One measure against mean opinions: all that a table of image-quality comparison holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.statistics._inputs import Array, columns, finite
from isocenter.statistics.bootstrap import Rows
from isocenter.statistics.correlation import krocc, oriented, plcc, srocc
from isocenter.statistics.mapping import Fit, Kind, fit_mapping

__all__ = [
    "Agreement",
    "OutlierRatio",
    "PerGroup",
    "measure_agreement",
    "outlier_ratio",
    "per_group",
    "rmse",
]


@dataclass(frozen=True)
class OutlierRatio:
    """Share of images whose opinion the measure misses by more than raters' own doubt."""

    value: float | None
    """0 to 1, or None where it cannot be known."""
    why_missing: str | None = None
    """Why it cannot; None beside a value."""


@dataclass(frozen=True)
class Agreement:
    """How a measure agrees with mean opinions.

    Rank correlations and ``plcc_raw`` are of the scores as measured, higher being better;
    ``plcc_fitted``, ``rmse`` and ``outliers`` are of the scores after ``fit``.
    """

    n: int
    """Number of images."""
    srocc: float
    krocc: float
    plcc_raw: float
    plcc_fitted: float
    rmse: float
    """In units of the opinions."""
    outliers: OutlierRatio
    fit: Fit
    """From oriented scores to opinions."""


@dataclass(frozen=True)
class PerGroup:
    """A statistic within every group."""

    values: dict[str, float]
    """Name of the group to value, NaN where it is not defined there."""
    mean: float
    """Over the groups that have a value; NaN where none has."""


def measure_agreement(
    scores: npt.ArrayLike,
    opinions: npt.ArrayLike,
    *,
    better: Literal["higher", "lower"],
    kind: Kind = "logistic5",
    deviation: npt.ArrayLike | None = None,
    n_raters: npt.ArrayLike | None = None,
) -> Agreement:
    """Every figure of one measure.

    Args:
        scores: One score an image, in any unit.
        opinions: Mean opinion of every image, higher being better.
        better: Which scores are the better ones.
        kind: The richest curve that :func:`~isocenter.statistics.fit_mapping` may try.
        deviation: Standard deviation of every image's ratings.
        n_raters: Number of raters of every image, or one number for all.

    Raises:
        UsageError: Different lengths.
        InputError: A value is infinite or missing.
    """
    x, y = columns(oriented(scores, better), opinions)
    fit = fit_mapping(x, y, kind=kind)
    fitted = fit(x)
    return Agreement(
        n=x.size,
        srocc=srocc(x, y),
        krocc=krocc(x, y),
        plcc_raw=plcc(x, y),
        plcc_fitted=plcc(fitted, y),
        rmse=rmse(fitted, y),
        outliers=outlier_ratio(fitted, y, deviation=deviation, n_raters=n_raters),
        fit=fit,
    )


def rmse(predicted: npt.ArrayLike, opinions: npt.ArrayLike) -> float:
    """Root of the mean squared difference, in units of the opinions.

    The mean is over all images; ITU-T P.1401 divides by images less parameters of the fit.

    Raises:
        UsageError: Different lengths.
        InputError: A value is infinite or missing.
    """
    x, y = columns(predicted, opinions)
    return float(np.sqrt(np.mean((finite("predictions", x) - finite("opinions", y)) ** 2)))


def outlier_ratio(
    predicted: npt.ArrayLike,
    opinions: npt.ArrayLike,
    *,
    deviation: npt.ArrayLike | None,
    n_raters: npt.ArrayLike | None,
) -> OutlierRatio:
    """Share of images with abs(predicted - opinion) above two standard errors of the opinion.

    The standard error is an image's deviation over the root of its number of raters.

    Args:
        predicted: Scores after the fit.
        opinions: Mean opinion of every image.
        deviation: Standard deviation of every image's ratings; None where it was not kept.
        n_raters: Number of raters of every image, or one number for all; None where unknown.

    Source: VQEG phase II, 2003; ITU-T P.1401.

    Raises:
        UsageError: Different lengths.
        InputError: A prediction or an opinion is infinite or missing.
    """
    x, y = columns(predicted, opinions)
    error = np.abs(finite("predictions", x) - finite("opinions", y))
    if deviation is None or n_raters is None:
        absent = "the deviation" if deviation is None else "the number"
        return OutlierRatio(None, f"{absent} of every image's ratings is not known")
    spread, raters, _ = columns(deviation, np.broadcast_to(n_raters, y.shape), y)
    # A comparison with NaN is False, so an unknown deviation counts as unusable too.
    unusable = int(np.sum(~((spread >= 0) & (raters >= 2))))
    if unusable:
        return OutlierRatio(None, f"{unusable} images have no deviation or fewer than two raters")
    return OutlierRatio(float(np.mean(error > 2 * spread / np.sqrt(raters))))


def per_group(groups: Sequence[str], statistic: Callable[[Rows], float]) -> PerGroup:
    """A statistic within every group, and its mean.

    Pooled correlations mix what happens within a reference with offsets between references;
    the mean over references does not.

    Args:
        groups: Reference, distortion or site of every row.
        statistic: Takes row indices, returns a number.
    """
    names = np.asarray(groups)
    values = {
        str(name): float(statistic(np.flatnonzero(names == name))) for name in np.unique(names)
    }
    known: Array = np.array([value for value in values.values() if not np.isnan(value)])
    return PerGroup(values, float(known.mean()) if known.size else float("nan"))
