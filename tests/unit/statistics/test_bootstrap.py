"""Agreement measures and intervals by person."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isocenter.statistics import bootstrap_by_person, macro_f1, srocc


def test_srocc_is_about_order() -> None:
    assert srocc([1, 2, 3, 4], [1, 8, 27, 64]) == pytest.approx(1)
    assert srocc([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert math.isnan(srocc([1, 1, 1], [1, 2, 3]))


def test_macro_f1_by_hand() -> None:
    # class 0: precision 2/3, recall 1 -> 0.8; class 1: precision 1, recall 1/2 -> 2/3
    assert macro_f1([0, 0, 1, 1], [0, 0, 0, 1]) == pytest.approx((0.8 + 2 / 3) / 2)


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
