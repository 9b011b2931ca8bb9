"""Area under the ROC curve and DeLong's covariance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.errors import InputError, UsageError
from isocenter.statistics import auc, auc_covariance, auc_interval, compare_auc

cases = st.lists(st.integers(0, 8), min_size=2, max_size=20)


def slow_kernel(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    return np.array([[float(p > q) + 0.5 * float(p == q) for q in negative] for p in positive])


def slow_covariance(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """DeLong's sums written out: rows of ``positive`` and ``negative`` are methods."""
    kernels = [slow_kernel(p, q) for p, q in zip(positive, negative, strict=True)]
    m, n = kernels[0].shape
    covariance = np.zeros((len(kernels), len(kernels)))
    for a, one in enumerate(kernels):
        for b, other in enumerate(kernels):
            area, area_b = one.mean(), other.mean()
            by_positive = sum(
                (one[i].mean() - area) * (other[i].mean() - area_b) for i in range(m)
            ) / (m - 1)
            by_negative = sum(
                (one[:, j].mean() - area) * (other[:, j].mean() - area_b) for j in range(n)
            ) / (n - 1)
            covariance[a, b] = by_positive / m + by_negative / n
    return covariance


@given(cases, cases)
def test_area_is_the_share_of_pairs_in_order(positive: list[int], negative: list[int]) -> None:
    truth = [1] * len(positive) + [0] * len(negative)
    expected = slow_kernel(np.array(positive), np.array(negative)).mean()
    assert auc(truth, positive + negative) == pytest.approx(expected)
    assert auc(truth, [-s for s in positive + negative]) == pytest.approx(1 - expected)
    assert auc(truth, [s**3 for s in positive + negative]) == pytest.approx(expected)


def test_covariance_is_that_of_the_sums_written_out() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(25) < 11
    scores = np.round(rng.normal(size=(3, 25)) + truth, 1)
    areas, covariance = auc_covariance(truth, scores)
    assert areas == pytest.approx([auc(truth, row) for row in scores])
    expected = slow_covariance(scores[:, truth], scores[:, ~truth])
    np.testing.assert_allclose(covariance, expected, atol=1e-12)


def test_infinite_scores_are_ranked() -> None:
    assert auc([1, 1, 0], [math.inf, 2, 1]) == 1


@pytest.mark.parametrize("method", ["delong", "hanley-mcneil"])
def test_intervals_cover_about_as_often_as_they_say(method) -> None:
    rng = np.random.default_rng(1)
    truth = np.arange(100) < 40
    shift, hits = 1.0, 0
    area = 0.5 * (1 + math.erf(shift / 2))
    for _ in range(250):
        found = auc_interval(truth, rng.normal(size=100) + shift * truth, method=method)
        assert found.low <= found.value <= found.high
        hits += found.low <= area <= found.high
    assert 0.91 <= hits / 250 <= 0.985


def test_hanley_and_mcneil_by_hand() -> None:
    truth, scores = [1, 1, 0, 0], [3, 1, 2, 0]
    # Area 0.75: Q1 = 0.6, Q2 = 1.125 / 1.75.
    variance = (0.75 * 0.25 + (0.6 - 0.5625) + (1.125 / 1.75 - 0.5625)) / 4
    found = auc_interval(truth, scores, method="hanley-mcneil")
    assert found.value == 0.75
    assert found.standard_error == pytest.approx(math.sqrt(variance))
    assert found.high == 1


def test_equal_areas_are_called_different_in_one_of_twenty() -> None:
    rng = np.random.default_rng(2)
    truth = np.arange(80) < 40
    p = []
    for _ in range(400):
        common = rng.normal(size=80) + truth
        p.append(compare_auc(truth, *(common + rng.normal(size=80) for _ in range(2))).p)
    assert 0.03 <= np.mean(np.array(p) < 0.05) <= 0.075


def test_a_comparison_has_a_sign_and_no_order() -> None:
    rng = np.random.default_rng(3)
    truth = np.arange(60) < 30
    good, poor = truth + 0.5 * rng.normal(size=60), truth + 3 * rng.normal(size=60)
    there, back = compare_auc(truth, good, poor), compare_auc(truth, poor, good)
    assert there.statistic == pytest.approx(-back.statistic)
    assert there.statistic > 3
    assert there.p == pytest.approx(back.p)
    assert compare_auc(truth, good, np.exp(good)).p == 1


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(UsageError, match="one class"):
        auc([1, 1], [1, 2])
    with pytest.raises(InputError, match="missing"):
        auc([1, 0], [1, math.nan])
    with pytest.raises(UsageError, match="two of each class"):
        auc_interval([1, 0, 0], [1, 2, 3])
    with pytest.raises(UsageError, match="one length"):
        auc([1, 0, 0], [1, 2])
