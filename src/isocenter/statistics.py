"""Agreement between scores, with intervals that respect who was scanned."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import scipy.stats

__all__ = ["bootstrap_by_person", "macro_f1", "srocc"]

Array = npt.NDArray[np.float64]


def srocc(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Spearman's rank correlation, -1 to 1; NaN where one side is constant."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(scipy.stats.spearmanr(x, y).statistic)


def macro_f1(truth: npt.ArrayLike, guess: npt.ArrayLike) -> float:
    """F1 averaged over the classes that occur in ``truth``, 0 to 1."""
    truth, guess = np.asarray(truth), np.asarray(guess)
    scores = []
    for kind in np.unique(truth):
        hit = np.sum((truth == kind) & (guess == kind))
        scores.append(2 * hit / (np.sum(truth == kind) + np.sum(guess == kind)))
    return float(np.mean(scores))


def bootstrap_by_person(
    people: Sequence[str],
    statistic: Callable[[npt.NDArray[np.intp]], float],
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
    names, index = np.unique(np.asarray(people), return_inverse=True)
    rows = [np.flatnonzero(index == i) for i in range(len(names))]
    drawn = [
        statistic(np.concatenate([rows[i] for i in rng.integers(len(names), size=len(names))]))
        for _ in range(n_draws)
    ]
    tail = 50 * (1 - level)
    low, high = np.nanpercentile(drawn, [tail, 100 - tail])
    return float(low), float(high)
