"""Agreement of classes."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.errors import InputError, UsageError
from isocenter.statistics import balanced_accuracy, kappa, macro_f1, recall_at_specificity

ratings = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=40)


def test_macro_f1_by_hand() -> None:
    # class 0: precision 2/3, recall 1 -> 0.8; class 1: precision 1, recall 1/2 -> 2/3
    assert macro_f1([0, 0, 1, 1], [0, 0, 0, 1]) == pytest.approx((0.8 + 2 / 3) / 2)


def test_balanced_accuracy_is_blind_to_the_base_rate() -> None:
    truth = [0] * 90 + [1] * 10
    assert balanced_accuracy(truth, [0] * 100) == pytest.approx(0.5)
    assert balanced_accuracy(truth, [0] * 90 + [1] * 5 + [0] * 5) == pytest.approx(0.75)
    assert balanced_accuracy(["a", "b", "c"], ["a", "b", "x"]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("measure", [macro_f1, balanced_accuracy, kappa])
def test_classes_of_different_lengths_are_refused(measure) -> None:
    with pytest.raises(UsageError, match="one length"):
        measure([0, 1], [0])


def slow_recall(positive: list[int], negative: list[int], specificity: float) -> float:
    """The best recall over all thresholds that keep the specificity."""
    return max(
        float(np.mean(np.array(positive) > t))
        for t in negative
        if np.mean(np.array(negative) <= t) >= specificity - 1e-12
    )


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=30),
    st.lists(st.integers(0, 9), min_size=1, max_size=30),
    st.sampled_from([0.5, 0.8, 0.9, 0.95]),
)
def test_recall_is_the_best_that_keeps_the_specificity(
    positive: list[int], negative: list[int], specificity: float
) -> None:
    truth = [True] * len(positive) + [False] * len(negative)
    found = recall_at_specificity(truth, positive + negative, specificity=specificity)
    assert found == pytest.approx(slow_recall(positive, negative, specificity))


def test_recall_needs_both_classes_and_scores() -> None:
    with pytest.raises(UsageError, match="one class"):
        recall_at_specificity([True, True], [1, 2])
    with pytest.raises(InputError, match="missing"):
        recall_at_specificity([True, False], [1, math.nan])
    with pytest.raises(UsageError, match="specificity must lie"):
        recall_at_specificity([True, False], [1, 2], specificity=1.0)


def slow_kappa(first: list[int], second: list[int], power: int) -> float:
    """One less the mean cost of actual pairs over that of all cross pairs."""

    def cost(a: int, b: int) -> int:
        return int(a != b) if power == 0 else abs(a - b) ** power

    seen = np.mean([cost(a, b) for a, b in zip(first, second, strict=True)])
    chance = np.mean([cost(a, b) for a in first for b in second])
    return float(1 - seen / chance) if chance else math.nan


@given(ratings)
def test_kappa_is_that_of_cross_pairs(pairs: list[tuple[int, int]]) -> None:
    first, second = (list(column) for column in zip(*pairs, strict=True))
    for power, weights in enumerate(["none", "linear", "quadratic"]):
        found = kappa(first, second, weights=weights, categories=range(5))
        assert found == pytest.approx(slow_kappa(first, second, power), nan_ok=True)


def test_order_of_words_is_given() -> None:
    order = ["bad", "fair", "good"]
    near = kappa(["bad", "fair", "good"], ["fair", "fair", "good"], categories=order)
    far = kappa(["bad", "fair", "good"], ["good", "fair", "good"], categories=order)
    assert far < near < 1
    with pytest.raises(UsageError, match="do not hold good"):
        kappa(["bad", "good"], ["bad", "bad"], categories=["bad", "fair"])


def test_raters_who_always_say_the_same_have_no_kappa() -> None:
    assert math.isnan(kappa([1, 1], [1, 1]))


@pytest.mark.data
def test_two_raters_of_a_thousand_scans(data_root: Path) -> None:
    """ABIDE, rated by two people: kappa 0.39 in three classes, 0.53 for exclusion."""
    with (data_root / "tables" / "abide.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    both = [
        (float(row["rater_1"]), float(row["rater_2"]))
        for row in rows
        if "n/a" not in (row["rater_1"], row["rater_2"])
    ]
    first, second = np.array(both).T
    assert len(both) == 99
    assert kappa(first, second, weights="none") == pytest.approx(0.39, abs=0.005)
    assert kappa(first == -1, second == -1, weights="none") == pytest.approx(0.53, abs=0.005)
