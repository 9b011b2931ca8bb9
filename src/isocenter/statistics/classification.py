"""Agreement of classes: accept or reject, kinds of artifact, ordered ratings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError
from isocenter.statistics._inputs import between_0_and_1
from isocenter.statistics.roc import by_truth

__all__ = ["balanced_accuracy", "kappa", "macro_f1", "recall_at_specificity"]


def macro_f1(truth: npt.ArrayLike, guess: npt.ArrayLike) -> float:
    """F1 averaged over the classes that occur in ``truth``, 0 to 1.

    Raises:
        UsageError: Different lengths, or nothing to compare.
    """
    truth, guess = _labels(truth, guess)
    scores = []
    for kind in np.unique(truth):
        hit = np.sum((truth == kind) & (guess == kind))
        scores.append(2 * hit / (np.sum(truth == kind) + np.sum(guess == kind)))
    return float(np.mean(scores))


def balanced_accuracy(truth: npt.ArrayLike, guess: npt.ArrayLike) -> float:
    """Recall averaged over the classes that occur in ``truth``, 0 to 1; chance is 1 / classes.

    Raises:
        UsageError: Different lengths, or nothing to compare.
    """
    truth, guess = _labels(truth, guess)
    return float(np.mean([np.mean(guess[truth == kind] == kind) for kind in np.unique(truth)]))


def recall_at_specificity(
    truth: npt.ArrayLike, scores: npt.ArrayLike, *, specificity: float = 0.95
) -> float:
    """Share of positives above the lowest threshold that keeps the specificity, 0 to 1.

    A score is called positive when it is above the threshold, which is one of the negatives'
    scores; at least ``specificity`` of the negatives lie at or below it.

    Args:
        truth: True for positives.
        scores: Higher means more likely positive.
        specificity: Between 0 and 1.

    Raises:
        UsageError: Different lengths, one class only, or a specificity outside (0, 1).
        InputError: A score is missing.
    """
    positive, negative = by_truth(truth, scores)
    wanted = between_0_and_1("specificity", specificity) * negative.size
    # 0.95 of 20 is a little more than 19 in floating point.
    n_below = math.ceil(wanted - 1e-9)
    threshold = np.sort(negative)[n_below - 1]
    return float(np.mean(positive > threshold))


def kappa(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    categories: Sequence[int] | Sequence[str] | None = None,
    weights: Literal["none", "linear", "quadratic"] = "quadratic",
) -> float:
    """Cohen's kappa of two raters, at most 1; 0 is chance, NaN where both always say the same.

    Disagreement weighs 1 where ``weights`` is ``"none"``, else the number of categories
    between the two, or its square.

    Args:
        first: Category that one rater gave every image.
        second: The same of the other rater.
        categories: All of them in order; by default those that occur, sorted.
        weights: How disagreement grows with distance.

    Source: Cohen, Psychological Bulletin 70, 1968, doi:10.1037/h0026256.

    Raises:
        UsageError: Different lengths, nothing to compare, or a category that is not listed.
    """
    first, second = _labels(first, second)
    occurring = np.union1d(first, second)
    names = list(occurring) if categories is None else list(categories)
    unknown = [str(name) for name in occurring if name not in names]
    if unknown:
        raise UsageError(f"categories do not hold {', '.join(unknown)}; list all that occur")
    place = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)))
    np.add.at(counts, ([place[a] for a in first], [place[b] for b in second]), 1)
    apart = np.abs(np.subtract.outer(np.arange(len(names)), np.arange(len(names))))
    cost = {"none": apart > 0, "linear": apart, "quadratic": apart**2}[weights]
    by_chance = np.outer(counts.sum(1), counts.sum(0)) / counts.sum()
    expected = float(np.sum(cost * by_chance))
    return 1 - float(np.sum(cost * counts)) / expected if expected else float("nan")


def _labels(
    first: npt.ArrayLike, second: npt.ArrayLike
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    one, other = np.asarray(first), np.asarray(second)
    if one.ndim != 1 or one.shape != other.shape or one.size == 0:
        raise UsageError(
            f"classes must be two vectors of one length, not {one.shape} and {other.shape}"
        )
    return one, other
