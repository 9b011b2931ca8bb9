"""Intervals that respect who was scanned: people, references or sites are drawn, not rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.statistics._inputs import between_0_and_1

__all__ = [
    "Difference",
    "bootstrap_by_person",
    "bootstrap_difference_by_person",
    "draws_by_person",
    "two_sided",
]

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Difference:
    """One statistic minus another over the same draws."""

    value: float
    """Difference on all rows."""
    low: float
    """Lower end of its percentile interval."""
    high: float
    """Upper end of its percentile interval."""
    p: float
    """Two-sided: twice the share of draws on the rarer side of zero."""


def draws_by_person(
    people: Sequence[str], *, rng: np.random.Generator, n_draws: int
) -> Iterator[Rows]:
    """Rows of as many people as there are, drawn with replacement, ``n_draws`` times.

    People may be any unit that scans belong to: references, sites.
    """
    names, index = np.unique(np.asarray(people), return_inverse=True)
    rows = [np.flatnonzero(index == i) for i in range(len(names))]
    for _ in range(n_draws):
        yield np.concatenate([rows[i] for i in rng.integers(len(names), size=len(names))])


def bootstrap_by_person(
    people: Sequence[str],
    statistic: Callable[[Rows], float],
    *,
    rng: np.random.Generator,
    n_draws: int = 1000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile interval of a statistic when people, not scans, are drawn again.

    Args:
        people: Person of every row.
        statistic: Takes row indices, returns a number; NaN draws are left out.
        rng: Draws people with replacement.
        n_draws: Number of draws.
        level: Coverage of the interval.

    Returns:
        Lower and upper end.
    """
    drawn = [statistic(rows) for rows in draws_by_person(people, rng=rng, n_draws=n_draws)]
    return _percentiles(np.array(drawn), level)


def bootstrap_difference_by_person(
    people: Sequence[str],
    first: Callable[[Rows], float],
    second: Callable[[Rows], float],
    *,
    rng: np.random.Generator,
    n_draws: int = 1000,
    level: float = 0.95,
) -> Difference:
    """``first`` minus ``second``, both on the same draws of people.

    With few people the interval is too narrow: eight references can be drawn in 6435 ways
    only, and each weighs an eighth.

    Args:
        people: Person of every row.
        first: Takes row indices, returns a number; NaN draws are left out.
        second: The same for the other side.
        rng: Draws people with replacement.
        n_draws: Number of draws.
        level: Coverage of the interval.

    Source: Efron & Tibshirani, An introduction to the bootstrap, 1993, chapters 13 and 16.
    """
    everything = np.arange(len(people))
    drawn = np.array(
        [first(rows) - second(rows) for rows in draws_by_person(people, rng=rng, n_draws=n_draws)]
    )
    low, high = _percentiles(drawn, level)
    return Difference(first(everything) - second(everything), low, high, two_sided(drawn))


def two_sided(drawn: npt.NDArray[np.float64]) -> float:
    """Two-sided p of drawn differences against zero; NaN draws are left out.

    Never 0: one is added to either side and to the number of draws, as a draw that was
    observed once.
    """
    kept = drawn[~np.isnan(drawn)]
    rarer = min(int(np.sum(kept <= 0)), int(np.sum(kept >= 0)))
    return min(1.0, 2 * (rarer + 1) / (kept.size + 1))


def _percentiles(drawn: npt.NDArray[np.float64], level: float) -> tuple[float, float]:
    tail = 50 * (1 - between_0_and_1("level", level))
    low, high = np.nanpercentile(drawn, [tail, 100 - tail])
    return float(low), float(high)
