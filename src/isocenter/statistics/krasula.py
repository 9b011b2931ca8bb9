"""Measures judged on pairs of images that raters tell apart, or do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.stats

from isocenter.errors import InputError, UsageError
from isocenter.statistics._inputs import (
    Array,
    Matrix,
    Relation,
    between_0_and_1,
    columns,
    finite,
    score_table,
)
from isocenter.statistics.comparison import Pairwise, all_pairs, z_test
from isocenter.statistics.roc import auc_covariance, placements

__all__ = ["PairAnalysis", "krasula_analysis"]


@dataclass(frozen=True, eq=False)
class PairAnalysis:
    """How well measures tell pairs of images apart, one value a method."""

    names: tuple[str, ...]
    n_different: int
    """Pairs that raters tell apart."""
    n_similar: int
    """Pairs that they do not."""
    different_similar: Array
    """Chance that a pair told apart lies farther apart in score than one that is not."""
    better_worse: Array
    """Chance that better minus worse exceeds worse minus better, over pairs told apart."""
    correct: Array
    """C0: share of pairs told apart whose better image has the higher score; ties are wrong."""
    different_similar_tests: Pairwise
    better_worse_tests: Pairwise


def krasula_analysis(
    names: Sequence[str],
    scores: npt.ArrayLike,
    opinions: npt.ArrayLike,
    *,
    deviation: npt.ArrayLike,
    n_raters: npt.ArrayLike,
    level: float = 0.95,
    groups: Sequence[str] | None = None,
) -> PairAnalysis:
    """Krasula's analysis, free of any mapping from scores to opinions.

    A pair is told apart when the difference of its opinions over the root of the sum of the
    two squared standard errors is beyond the two-sided normal quantile of ``level``.  In
    better against worse each such pair counts once in either direction, so that the order of
    the images does not matter, and the variance is that of a one-sample U-statistic.

    Areas are compared by DeLong's z.  It takes pairs as independent, while each image is in
    many pairs, so p is too small: a difference that it shows still wants a bootstrap over
    references.

    Args:
        names: The methods.
        scores: Table (methods, images), higher being better.
        opinions: Mean opinion of every image, higher being better.
        deviation: Standard deviation of every image's ratings.
        n_raters: Number of raters of every image, or one number for all.
        level: Confidence at which a pair is told apart.
        groups: Reference of every image, to compare images of one reference only.

    Source: Krasula et al., QoMEX 2016, doi:10.1109/QoMEX.2016.7498936; the same by
    DeLong et al., Biometrics 44, 1988, doi:10.2307/2531595.

    Raises:
        UsageError: Shapes do not match.
        InputError: A value is infinite or missing, or fewer than two pairs are of one kind.
    """
    y, spread, raters = columns(opinions, deviation, np.broadcast_to(n_raters, np.shape(opinions)))
    table = score_table(scores, y.size)
    if len(names) != len(table):
        raise UsageError(f"{len(names)} names for {len(table)} rows of scores; name every row")
    error = finite("standard errors", _standard_error(spread, raters))
    finite("opinions", y), finite("scores", table)
    first, second = _pairs(y.size, groups)
    gap, apart = _told_apart(y, error, first, second, level)
    if min(apart.sum(), (~apart).sum()) < 2:
        raise InputError(
            f"{int(apart.sum())} of {apart.size} pairs are told apart; two of each kind are needed"
        )
    step = table[:, first] - table[:, second]
    to_better = step[:, apart] * np.sign(gap[apart])
    areas, covariance = auc_covariance(apart, np.abs(step))
    mirrored = np.stack([placements(row, -row) for row in to_better])
    return PairAnalysis(
        names=tuple(names),
        n_different=int(apart.sum()),
        n_similar=int((~apart).sum()),
        different_similar=areas,
        better_worse=mirrored.mean(axis=1),
        correct=np.mean(to_better > 0, axis=1),
        different_similar_tests=_tests(names, areas, covariance),
        # Every pair stands on both sides, hence 4 and not 1 + 1.
        better_worse_tests=_tests(
            names, mirrored.mean(axis=1), 4 * np.atleast_2d(np.cov(mirrored)) / apart.sum()
        ),
    )


def _standard_error(deviation: Array, n_raters: Array) -> Array:
    """Of every image's mean opinion; NaN where it cannot be known."""
    usable = (deviation >= 0) & (n_raters >= 2)
    return np.where(usable, deviation, np.nan) / np.sqrt(np.maximum(n_raters, 1))


def _pairs(
    n_images: int, groups: Sequence[str] | None
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """First and second image of every pair, within a group where groups are given."""
    first, second = np.triu_indices(n_images, 1)
    if groups is None:
        return first, second
    if len(groups) != n_images:
        raise UsageError(f"{len(groups)} groups for {n_images} images; name one an image")
    names = np.asarray(groups)
    together = names[first] == names[second]
    return first[together], second[together]


def _told_apart(
    opinions: Array,
    error: Array,
    first: npt.NDArray[np.intp],
    second: npt.NDArray[np.intp],
    level: float,
) -> tuple[Array, Relation]:
    """Differences of opinion, and whether raters tell the pairs apart."""
    quantile = float(scipy.stats.norm.ppf((1 + between_0_and_1("level", level)) / 2))
    gap = opinions[first] - opinions[second]
    return gap, np.abs(gap) > quantile * np.hypot(error[first], error[second])


def _tests(names: Sequence[str], areas: Array, covariance: Matrix) -> Pairwise:
    return all_pairs(
        names,
        lambda i, j: z_test(
            float(areas[i] - areas[j]),
            float(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]),
        ),
    )
