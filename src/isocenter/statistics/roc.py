"""Area under the ROC curve: its value, its interval, and one area against another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.stats

from isocenter.errors import UsageError
from isocenter.statistics._inputs import Array, Matrix, between_0_and_1, columns, score_table
from isocenter.statistics.comparison import Comparison, z_test

__all__ = [
    "AucInterval",
    "auc",
    "auc_covariance",
    "auc_interval",
    "by_truth",
    "compare_auc",
    "placements",
]


@dataclass(frozen=True)
class AucInterval:
    """An area under the ROC curve with its normal interval, cut at 0 and 1."""

    value: float
    low: float
    high: float
    standard_error: float
    """0 where the classes do not overlap; the interval is then no interval."""


def auc(truth: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Chance that a positive scores above a negative, ties counting half; 0 to 1.

    Args:
        truth: True for positives.
        scores: Higher means more likely positive.

    Raises:
        UsageError: Different lengths, or one class only.
        InputError: A score is missing.
    """
    positive, negative = by_truth(truth, scores)
    return float(np.mean(placements(positive, negative)))


def auc_interval(
    truth: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    method: Literal["delong", "hanley-mcneil"] = "delong",
    level: float = 0.95,
) -> AucInterval:
    """Area and interval, from the scores' placements or from the area alone.

    Source: DeLong et al., Biometrics 44, 1988, doi:10.2307/2531595; Hanley & McNeil,
    Radiology 143, 1982, doi:10.1148/radiology.143.1.7063747.

    Raises:
        UsageError: Different lengths, fewer than two of a class, or a level outside (0, 1).
        InputError: A score is missing.
    """
    values, covariance = auc_covariance(truth, np.asarray(scores, np.float64)[None])
    value, variance = float(values[0]), float(covariance[0, 0])
    if method == "hanley-mcneil":
        positive, negative = by_truth(truth, scores)
        variance = _hanley_mcneil(value, positive.size, negative.size)
    error = math.sqrt(max(variance, 0.0))
    reach = float(scipy.stats.norm.ppf((1 + between_0_and_1("level", level)) / 2)) * error
    return AucInterval(value, max(0.0, value - reach), min(1.0, value + reach), error)


def compare_auc(truth: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike) -> Comparison:
    """DeLong's z of two areas on the same cases, two-sided.

    Source: DeLong et al., Biometrics 44, 1988, doi:10.2307/2531595.

    Raises:
        UsageError: Different lengths, or fewer than two of a class.
        InputError: A score is missing.
    """
    values, covariance = auc_covariance(truth, np.stack(columns(first, second)))
    contrast = np.array([1.0, -1.0])
    return z_test(float(contrast @ values), float(contrast @ covariance @ contrast))


def auc_covariance(truth: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Array, Matrix]:
    """Areas of several methods on the same cases, and DeLong's covariance of them.

    Args:
        truth: True for positives.
        scores: Table (methods, cases).

    Returns:
        Areas (methods,) and covariance (methods, methods).

    Source: DeLong et al., Biometrics 44, 1988, doi:10.2307/2531595, by ranks as in Sun & Xu,
    IEEE SPL 21(11), 2014, doi:10.1109/LSP.2014.2337313.

    Raises:
        UsageError: Different lengths, or fewer than two of a class.
        InputError: A score is missing.
    """
    table = score_table(scores, np.asarray(truth).size)
    split = [by_truth(truth, row) for row in table]
    n_positive, n_negative = (part.size for part in split[0])
    if min(n_positive, n_negative) < 2:
        raise UsageError(
            f"a variance needs two of each class, not {n_positive} positives and "
            f"{n_negative} negatives"
        )
    above = np.stack([placements(positive, negative) for positive, negative in split])
    below = np.stack([placements(-negative, -positive) for positive, negative in split])
    covariance = np.cov(above) / n_positive + np.cov(below) / n_negative
    return above.mean(axis=1), np.atleast_2d(covariance)


def placements(positive: Array, negative: Array) -> Array:
    """Share of negatives below every positive, ties counting half."""
    among_all = scipy.stats.rankdata(np.concatenate([positive, negative]))[: positive.size]
    return np.asarray((among_all - scipy.stats.rankdata(positive)) / negative.size)


def by_truth(truth: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Array, Array]:
    """Scores of positives and of negatives.

    Raises:
        UsageError: Different lengths, or one class only.
        InputError: A score is missing.
    """
    label, values = columns(np.asarray(truth, bool), scores)
    (values,) = score_table(values[None], values.size)
    is_positive = label > 0
    if is_positive.all() or not is_positive.any():
        raise UsageError(f"all {label.size} cases are of one class; both are needed")
    return values[is_positive], values[~is_positive]


def _hanley_mcneil(area: float, n_positive: int, n_negative: int) -> float:
    """Variance of an area if scores were exponential."""
    two_positives, two_negatives = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area)
    spread += (n_positive - 1) * (two_positives - area**2)
    spread += (n_negative - 1) * (two_negatives - area**2)
    return spread / (n_positive * n_negative)
