"""Intervals by person."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import UsageError
from isocenter.statistics import bootstrap_by_person, bootstrap_difference_by_person


def test_interval_draws_people_not_rows() -> None:
    """Ten copies of each of three people say no more than three people do."""
    people = ["a"] * 10 + ["b"] * 10 + ["c"] * 10
    values = np.repeat([0.0, 0.5, 1.0], 10)
    low, high = bootstrap_by_person(
        people, lambda i: float(values[i].mean()), rng=np.random.default_rng(0)
    )
    assert low < 0.1
    assert high > 0.9


def test_interval_covers_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(100):
        values = rng.normal(size=40)
        people = [str(i) for i in range(40)]
        low, high = bootstrap_by_person(
            people, lambda i, v=values: float(v[i].mean()), rng=rng, n_draws=200
        )
        hits += low <= 0 <= high
    assert 85 <= hits <= 100


def test_a_level_is_a_share() -> None:
    with pytest.raises(UsageError, match="level must lie between 0 and 1, not 95"):
        bootstrap_by_person(["a", "b"], lambda i: 0.0, rng=np.random.default_rng(0), level=95.0)


def test_pairing_takes_away_what_is_common() -> None:
    """Two measures that differ by 0.1 on people who differ by far more."""
    rng = np.random.default_rng(2)
    people = [str(i) for i in range(30)]
    first = 10 * rng.normal(size=30)
    second = first - 0.1 + 0.02 * rng.normal(size=30)
    found = bootstrap_difference_by_person(
        people, lambda i: float(first[i].mean()), lambda i: float(second[i].mean()), rng=rng
    )
    assert found.value == pytest.approx((first - second).mean())
    assert 0 < found.low < found.value < found.high < 0.2
    assert found.p == pytest.approx(2 / 1001)


def test_equal_statistics_do_not_differ() -> None:
    values = np.arange(10.0)
    found = bootstrap_difference_by_person(
        [str(i) for i in range(10)],
        lambda i: float(values[i].mean()),
        lambda i: float(values[i].mean()),
        rng=np.random.default_rng(0),
        n_draws=50,
    )
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_equally_good_measures_are_called_different_in_about_one_of_twenty() -> None:
    rng = np.random.default_rng(3)
    people = [str(i) for i in range(30)]
    p = []
    for _ in range(200):
        first, second = rng.normal(size=(2, 30))
        found = bootstrap_difference_by_person(
            people,
            lambda i, v=first: float(v[i].mean()),
            lambda i, v=second: float(v[i].mean()),
            rng=rng,
            n_draws=200,
        )
        p.append(found.p)
    assert 0.02 <= np.mean(np.array(p) < 0.05) <= 0.10


def test_draws_without_a_value_are_left_out() -> None:
    values = np.array([0.0, 0.0, 1.0])

    def share(rows: np.ndarray) -> float:
        return float("nan") if values[rows].sum() == 0 else 1.0

    found = bootstrap_difference_by_person(
        ["a", "b", "c"], share, lambda _: 0.0, rng=np.random.default_rng(0), n_draws=100
    )
    assert (found.low, found.high) == (1, 1)
