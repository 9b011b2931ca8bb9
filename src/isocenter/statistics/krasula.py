"""Measures judged on pairs of images that raters tell apart, or do not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

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
    named_rows,
    score_table,
)
from isocenter.statistics.comparison import Comparison, Pairwise, all_pairs, z_test
from isocenter.statistics.roc import auc_covariance, placements

__all__ = ["PairAnalysis", "krasula_analysis"]

Estimate = tuple[Array, Matrix]
"""Areas (methods,) and their covariance (methods, methods)."""


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
    """Of all differences in ``different_similar``."""
    better_worse_tests: Pairwise
    """Of all differences in ``better_worse``."""


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs of images, one entry a pair."""

    first: npt.NDArray[np.intp]
    second: npt.NDArray[np.intp]
    apart: Relation
    """Whether raters tell the two apart."""
    sign: Array
    """1 where the first is the better one, -1 where the second is."""
    step: Matrix
    """Score of the first less that of the second, (methods, pairs)."""

    def subset(self, kept: Relation) -> _Pairs:
        return _Pairs(
            self.first[kept],
            self.second[kept],
            self.apart[kept],
            self.sign[kept],
            self.step[:, kept],
        )

    def to_better(self) -> Matrix:
        """Score of the better less that of the worse, over pairs told apart."""
        return self.step[:, self.apart] * self.sign[self.apart]


def krasula_analysis(
    names: Sequence[str],
    scores: npt.ArrayLike,
    opinions: npt.ArrayLike,
    *,
    deviation: npt.ArrayLike,
    n_raters: npt.ArrayLike,
    level: float = 0.95,
    references: Sequence[str] | None = None,
    within: bool = False,
    test: Literal["delong", "jackknife"] = "delong",
) -> PairAnalysis:
    """Krasula's analysis, free of any mapping from scores to opinions.

    A pair is told apart when the difference of its opinions over the root of the sum of the
    two squared standard errors is beyond the two-sided normal quantile of ``level``.  In
    better against worse each such pair counts once in either direction, so the order of the
    images does not matter, and the variance is that of a one-sample U-statistic.

    DeLong's z, as published, takes pairs as independent, while each image is in many pairs:
    of two equally good measures on 8 references of 14 images it calls more than half different
    at p < 0.05.  ``"jackknife"`` leaves out one reference at a time and is Student's t with as
    many degrees of freedom as references less one; use it to claim a difference.

    Args:
        names: The methods.
        scores: Table (methods, images), higher being better.
        opinions: Mean opinion of every image, higher being better.
        deviation: Standard deviation of every image's ratings.
        n_raters: Number of raters of every image, or one number for all.
        level: Confidence at which a pair is told apart.
        references: Reference of every image.
        within: Compare images of one reference only.
        test: How areas are compared.

    Source: Krasula et al., QoMEX 2016, doi:10.1109/QoMEX.2016.7498936; DeLong et al.,
    Biometrics 44, 1988, doi:10.2307/2531595; jackknife: Efron & Stein, Ann. Statist. 9,
    1981, doi:10.1214/aos/1176345462.

    Raises:
        UsageError: Shapes do not match, or references are needed.
        InputError: A value is infinite or missing, or fewer than two pairs are of one kind.
    """
    raters = np.broadcast_to(n_raters, np.shape(opinions))
    y, spread, raters = columns(opinions, deviation, raters)
    table = finite("scores", named_rows(names, score_table(scores, y.size)))
    error = finite("standard errors", _standard_error(spread, raters))
    owner = _owners(references, y.size, needed=within or test == "jackknife")
    pairs = _pairs(table, finite("opinions", y), error, owner if within else None, level)
    (different, by_pair), (better, by_step) = _different_similar(pairs), _better_worse(pairs)
    if test == "jackknife":
        by_pair, by_step = _jackknife(pairs, owner)
    lost = len(np.unique(owner)) - 1 if test == "jackknife" else math.inf
    return PairAnalysis(
        names=tuple(names),
        n_different=int(pairs.apart.sum()),
        n_similar=int((~pairs.apart).sum()),
        different_similar=different,
        better_worse=better,
        correct=np.mean(pairs.to_better() > 0, axis=1),
        different_similar_tests=_tests(names, different, by_pair, lost),
        better_worse_tests=_tests(names, better, by_step, lost),
    )


def _standard_error(deviation: Array, n_raters: Array) -> Array:
    """Of every image's mean opinion; NaN where it cannot be known."""
    usable = (deviation >= 0) & (n_raters >= 2)
    return np.where(usable, deviation, np.nan) / np.sqrt(np.maximum(n_raters, 1))


def _owners(
    references: Sequence[str] | None, n_images: int, *, needed: bool
) -> npt.NDArray[np.intp]:
    """Number of every image's reference; all 0 where there are none."""
    if references is None and not needed:
        return np.zeros(n_images, np.intp)
    if references is None or len(references) != n_images or len(set(references)) < 2:
        raise UsageError(f"name the reference of each of {n_images} images, two or more in all")
    return np.unique(np.asarray(references), return_inverse=True)[1]


def _pairs(
    table: Matrix, opinions: Array, error: Array, within: npt.NDArray[np.intp] | None, level: float
) -> _Pairs:
    """All pairs, or those within one reference."""
    first, second = np.triu_indices(opinions.size, 1)
    if within is not None:
        together = within[first] == within[second]
        first, second = first[together], second[together]
    quantile = float(scipy.stats.norm.ppf((1 + between_0_and_1("level", level)) / 2))
    gap = opinions[first] - opinions[second]
    apart = np.abs(gap) > quantile * np.hypot(error[first], error[second])
    return _Pairs(first, second, apart, np.sign(gap), table[:, first] - table[:, second])


def _different_similar(pairs: _Pairs) -> Estimate:
    n_different = int(pairs.apart.sum())
    if min(n_different, pairs.apart.size - n_different) < 2:
        raise InputError(
            f"raters tell {n_different} of {pairs.apart.size} pairs apart; two of each kind are "
            "needed: give more images or another level"
        )
    return auc_covariance(pairs.apart, np.abs(pairs.step))


def _better_worse(pairs: _Pairs) -> Estimate:
    steps = pairs.to_better()
    mirrored = np.stack([placements(row, -row) for row in steps])
    # Every pair stands on both sides, hence 4 and not 1 + 1.
    return mirrored.mean(axis=1), 4 * np.atleast_2d(np.cov(mirrored)) / steps.shape[1]


def _jackknife(pairs: _Pairs, owner: npt.NDArray[np.intp]) -> tuple[Matrix, Matrix]:
    """Covariances of both areas from leaving out one reference at a time."""
    different, better = [], []
    for left_out in np.unique(owner):
        kept = pairs.subset((owner[pairs.first] != left_out) & (owner[pairs.second] != left_out))
        different.append(_different_similar(kept)[0])
        better.append(_better_worse(kept)[0])
    n = len(different)
    by_pair, by_step = (
        np.atleast_2d(np.cov(np.stack(areas).T)) * (n - 1) ** 2 / n for areas in (different, better)
    )
    return by_pair, by_step


def _tests(names: Sequence[str], areas: Array, covariance: Matrix, freedom: float) -> Pairwise:
    def test(i: int, j: int) -> Comparison:
        variance = float(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j])
        return z_test(float(areas[i] - areas[j]), variance, freedom=freedom)

    return all_pairs(names, test)
