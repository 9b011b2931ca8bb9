"""Figures of one measure."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isocenter.errors import InputError, UsageError
from isocenter.statistics import measure_agreement, outlier_ratio, per_group, plcc, rmse, srocc

RNG = np.random.default_rng(0)
OPINIONS = RNG.uniform(1, 5, 60)
SCORES = np.exp(OPINIONS) * RNG.uniform(0.7, 1.4, 60)


def test_raw_and_fitted_correlation_are_kept_apart() -> None:
    found = measure_agreement(SCORES, OPINIONS, better="higher")
    assert found.n == 60
    assert found.plcc_raw == pytest.approx(np.corrcoef(SCORES, OPINIONS)[0, 1])
    assert found.plcc_fitted == pytest.approx(plcc(found.fit(SCORES), OPINIONS))
    assert found.plcc_fitted > found.plcc_raw + 0.03
    assert found.rmse == pytest.approx(np.sqrt(np.mean((found.fit(SCORES) - OPINIONS) ** 2)))


def test_direction_turns_signs_and_nothing_else() -> None:
    up = measure_agreement(SCORES, OPINIONS, better="higher")
    down = measure_agreement(-SCORES, OPINIONS, better="lower")
    assert down == up
    wrong = measure_agreement(-SCORES, OPINIONS, better="higher")
    assert (wrong.srocc, wrong.krocc) == pytest.approx((-up.srocc, -up.krocc))
    assert wrong.plcc_raw == pytest.approx(-up.plcc_raw)
    assert wrong.plcc_fitted > 0


def test_rmse_by_hand() -> None:
    assert rmse([1, 2, 3], [1, 4, 2]) == pytest.approx(math.sqrt(5 / 3))
    with pytest.raises(InputError, match="predictions"):
        rmse([math.nan], [1])


def test_outliers_by_hand() -> None:
    # Standard errors 0.25, 0.5, 0.25: limits 0.5, 1.0, 0.5.
    ratio = outlier_ratio([1, 2, 3], [1.6, 2.9, 3.4], deviation=[1, 2, 1], n_raters=16)
    assert ratio.value == pytest.approx(1 / 3)
    assert ratio.why_missing is None
    raters = outlier_ratio([1, 2, 3], [1.6, 2.9, 3.4], deviation=[1, 2, 1], n_raters=[4, 64, 64])
    assert raters.value == pytest.approx(2 / 3)


def test_outliers_that_cannot_be_known_say_why() -> None:
    x, y = [1.0, 2.0], [1.0, 3.0]
    absent = outlier_ratio(x, y, deviation=None, n_raters=5)
    assert absent.value is None
    assert absent.why_missing == "the deviation of every image's ratings is not known"
    assert outlier_ratio(x, y, deviation=[1, 1], n_raters=None).value is None
    partly = outlier_ratio(x, y, deviation=[1, math.nan], n_raters=5)
    assert partly.why_missing == "1 images have no deviation or fewer than two raters"
    assert outlier_ratio(x, y, deviation=[1, 1], n_raters=[5, 1]).value is None
    assert measure_agreement(x, y, better="higher").outliers.value is None


def test_opinions_as_good_as_raters_allow_have_few_outliers() -> None:
    """Residuals of one standard error exceed two in 4.6 of 100."""
    rng = np.random.default_rng(1)
    truth = rng.uniform(1, 5, 5000)
    opinions = truth + rng.normal(size=5000) * 0.8 / np.sqrt(20)
    ratio = outlier_ratio(truth, opinions, deviation=np.full(5000, 0.8), n_raters=20)
    assert ratio.value == pytest.approx(0.0455, abs=0.01)


def test_a_mean_over_references_is_free_of_their_offsets() -> None:
    groups = np.repeat(["a", "b"], 5).tolist()
    y = np.tile(np.arange(5.0), 2)
    x = y + np.repeat([0.0, 100.0], 5)
    within = per_group(groups, lambda rows: srocc(x[rows], y[rows]))
    assert within.values == pytest.approx({"a": 1, "b": 1})
    assert within.mean == pytest.approx(1)
    assert srocc(x, y) < 0.6


def test_a_group_without_a_value_is_named_and_left_out_of_the_mean() -> None:
    x = np.array([1.0, 1, 1, 2, 3])
    found = per_group(list("aaabb"), lambda rows: srocc(x[rows], x[rows]))
    assert math.isnan(found.values["a"])
    assert found.mean == pytest.approx(1)
    assert math.isnan(per_group(list("aa"), lambda rows: math.nan).mean)


def test_lengths_are_checked() -> None:
    with pytest.raises(UsageError):
        outlier_ratio([1, 2], [1, 2], deviation=[1, 1, 1], n_raters=4)
