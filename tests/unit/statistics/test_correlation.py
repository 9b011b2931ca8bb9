"""Correlations and their intervals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.errors import InputError, UsageError
from isocenter.statistics import (
    krocc,
    krocc_interval,
    oriented,
    plcc,
    plcc_interval,
    srocc,
    srocc_interval,
)

whole = st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=3, max_size=25)


def slow_tau_b(x: np.ndarray, y: np.ndarray) -> float:
    """By counting pairs."""
    balance = in_x = in_y = 0
    for i, j in itertools.combinations(range(len(x)), 2):
        a, b = np.sign(x[i] - x[j]), np.sign(y[i] - y[j])
        balance, in_x, in_y = balance + a * b, in_x + abs(a), in_y + abs(b)
    return balance / math.sqrt(in_x * in_y) if in_x * in_y else math.nan


def slow_rho(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's correlation of mean ranks, found by counting."""
    a, b = ([np.sum(v < e) + np.sum(v == e) / 2 for e in v] for v in (x, y))
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) and np.ptp(b) else math.nan


@given(whole)
def test_rank_correlations_are_those_by_counting(pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs, float).T
    assert srocc(x, y) == pytest.approx(slow_rho(x, y), nan_ok=True)
    assert krocc(x, y) == pytest.approx(slow_tau_b(x, y), nan_ok=True)


@given(whole)
def test_rank_correlations_see_order_alone(pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs, float).T
    for measure in (srocc, krocc):
        value = measure(x, y)
        assert measure(x**3, np.exp(y / 5)) == pytest.approx(value, nan_ok=True)
        assert measure(-x, y) == pytest.approx(-value, nan_ok=True)
        assert measure(y, x) == pytest.approx(value, nan_ok=True)


def test_srocc_is_about_order() -> None:
    assert srocc([1, 2, 3, 4], [1, 8, 27, 64]) == pytest.approx(1)
    assert srocc([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)


@pytest.mark.parametrize("measure", [srocc, krocc, plcc])
def test_a_constant_side_has_no_correlation(measure) -> None:
    assert math.isnan(measure([1, 1, 1], [1, 2, 3]))
    assert math.isnan(measure([1, 2, 3], [5, 5, 5]))
    assert math.isnan(measure([1], [2]))


def test_an_infinite_score_has_a_rank_and_no_value() -> None:
    assert srocc([1, 2, math.inf], [1, 2, 3]) == pytest.approx(1)
    assert krocc([1, 2, math.inf], [1, 2, 3]) == pytest.approx(1)
    with pytest.raises(InputError, match="1 of 3 scores are infinite or missing"):
        plcc([1, 2, math.inf], [1, 2, 3])


@pytest.mark.parametrize("measure", [srocc, krocc])
def test_a_missing_score_leaves_no_correlation(measure) -> None:
    assert math.isnan(measure([1, math.nan, 3], [1, 2, 3]))


@pytest.mark.parametrize("measure", [srocc, krocc, plcc])
def test_columns_of_different_lengths_are_refused(measure) -> None:
    with pytest.raises(UsageError, match=r"\(3,\), \(2,\)"):
        measure([1, 2, 3], [1, 2])


def test_plcc_is_of_values() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 30))
    assert plcc(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert plcc(x**3, y) != pytest.approx(plcc(x, y), abs=1e-3)


def test_lower_is_better_turns_scores() -> None:
    assert oriented([1.0, 2.0], "higher").tolist() == [1, 2]
    assert oriented([1.0, 2.0], "lower").tolist() == [-1, -2]


def test_interval_of_srocc_at_the_size_of_the_benchmark() -> None:
    assert srocc_interval(0.80, 112) == pytest.approx((0.71, 0.87), abs=0.005)


def test_intervals_of_perfect_and_missing_correlations() -> None:
    assert plcc_interval(1.0, 10) == (1, 1)
    assert all(math.isnan(end) for end in srocc_interval(math.nan, 10))


@pytest.mark.parametrize(("interval", "n"), [(srocc_interval, 3), (krocc_interval, 4)])
def test_intervals_need_images_and_a_level(interval, n: int) -> None:
    with pytest.raises(UsageError, match=f"more than {n} images"):
        interval(0.5, n)
    with pytest.raises(UsageError, match="level must lie between 0 and 1"):
        interval(0.5, 20, level=95.0)


def test_intervals_cover_about_as_often_as_they_say() -> None:
    """Gaussian pairs of correlation 0.7, whose rank correlations are known in closed form."""
    rng = np.random.default_rng(2)
    r, n, n_trials = 0.7, 40, 300
    truths = [r, 6 / math.pi * math.asin(r / 2), 2 / math.pi * math.asin(r)]
    hits = np.zeros(3)
    for _ in range(n_trials):
        x = rng.normal(size=n)
        y = r * x + math.sqrt(1 - r**2) * rng.normal(size=n)
        intervals = [
            plcc_interval(plcc(x, y), n),
            srocc_interval(srocc(x, y), n),
            krocc_interval(krocc(x, y), n),
        ]
        hits += [low <= truth <= high for (low, high), truth in zip(intervals, truths, strict=True)]
    assert (hits >= 0.91 * n_trials).all()
    assert (hits <= 0.98 * n_trials).all()
