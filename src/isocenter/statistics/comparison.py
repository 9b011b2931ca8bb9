"""What a test of two methods gives, and tests of all pairs with correction."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats

from isocenter.statistics._inputs import Array, Matrix, Relation, between_0_and_1

__all__ = ["Comparison", "Pairwise", "all_pairs", "benjamini_hochberg", "z_test"]


@dataclass(frozen=True)
class Comparison:
    """A test of one method against another."""

    statistic: float
    """z, F or a difference, as the test's docstring says."""
    p: float
    """Two-sided, 0 to 1; NaN where the test is not defined."""


@dataclass(frozen=True, eq=False)
class Pairwise:
    """Tests of every pair of methods."""

    names: tuple[str, ...]
    statistic: Matrix
    """Row against column; NaN on the diagonal."""
    p: Matrix
    """Two-sided, as each test gave it; 1 on the diagonal."""
    adjusted: Matrix
    """The same after Benjamini and Hochberg's correction over all pairs."""

    def differs(self, level: float = 0.05) -> Relation:
        """True where two methods differ, at a false discovery rate of ``level``.

        A test that is not defined shows no difference.

        Raises:
            UsageError: ``level`` is outside (0, 1).
        """
        return np.asarray(self.adjusted <= between_0_and_1("level", level))


def all_pairs(names: Sequence[str], test: Callable[[int, int], Comparison]) -> Pairwise:
    """``test`` of every method against every other, corrected over all pairs.

    Args:
        names: The methods.
        test: Takes places of two methods in ``names``; its p must not depend on their order.
    """
    n = len(names)
    statistic, p, adjusted = np.full((n, n), np.nan), np.eye(n), np.eye(n)
    for i, j in itertools.permutations(range(n), 2):
        found = test(i, j)
        statistic[i, j], p[i, j] = found.statistic, found.p
    upper = np.triu_indices(n, 1)
    adjusted[upper] = benjamini_hochberg(p[upper])
    adjusted.T[upper] = adjusted[upper]
    return Pairwise(tuple(names), statistic, p, adjusted)


def benjamini_hochberg(p: Array) -> Array:
    """p-values adjusted to control the false discovery rate; NaN stays and is not counted.

    Source: Benjamini & Hochberg, J. R. Statist. Soc. B 57, 1995,
    doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    known = ~np.isnan(p)
    adjusted = np.full(p.shape, np.nan)
    if known.any():
        adjusted[known] = scipy.stats.false_discovery_control(p[known])
    return adjusted


def z_test(difference: float, variance: float, *, freedom: float = math.inf) -> Comparison:
    """z of a difference and its two-sided p, or Student's t where ``freedom`` is finite.

    Equal without doubt is z = 0 and p = 1.
    """
    # Rounding leaves a variance of this size where two methods order the cases alike.
    if variance <= 1e-15:
        z = math.copysign(math.inf, difference) if abs(difference) > 1e-12 else 0.0
    else:
        z = difference / math.sqrt(variance)
    return Comparison(z, float(2 * scipy.stats.t.sf(abs(z), freedom)))
