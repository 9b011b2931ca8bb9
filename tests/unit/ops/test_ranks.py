"""Ranks among quantiles, against a plain count."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from isocenter.ops.ranks import mid_rank, normal_scores

LEVELS = np.linspace(0, 1, 101)


def test_a_rank_is_the_share_below_with_equal_ones_counted_half() -> None:
    known = np.random.default_rng(0).normal(size=5000)
    asked = np.array([-1.5, -0.2, 0.0, 0.7, 2.0])
    ranks = mid_rank(asked, np.quantile(known, LEVELS), LEVELS)
    counted = [scipy.stats.percentileofscore(known, one, kind="mean") / 100 for one in asked]
    np.testing.assert_allclose(ranks, counted, atol=2e-3)


def test_a_value_that_occurs_often_gets_the_middle_of_its_ranks() -> None:
    known = np.r_[np.zeros(60), np.linspace(1, 2, 40)]
    assert mid_rank(0.0, np.quantile(known, LEVELS), LEVELS) == pytest.approx(0.3, abs=0.01)


def test_beyond_the_known_ranks_stop() -> None:
    assert mid_rank([-9.0, 9.0], [0.0, 1.0], [0.05, 0.95]) == pytest.approx([0.05, 0.95])


def test_ranks_turn_with_the_sign() -> None:
    known = np.sort(np.random.default_rng(1).exponential(size=101).round(1))
    asked = np.array([0.0, 0.1, 0.35, 1.0])
    turned = mid_rank(-asked, -known[::-1], LEVELS)
    np.testing.assert_allclose(mid_rank(asked, known, LEVELS), 1 - turned, atol=1e-12)


def test_known_values_get_normal_scores_by_column() -> None:
    rng = np.random.default_rng(2)
    known = np.c_[rng.exponential(size=20_000), 50 - rng.uniform(size=20_000)]
    scores = normal_scores(known, np.quantile(known, LEVELS, axis=0))
    np.testing.assert_allclose(scores.mean(0), 0, atol=0.02)
    np.testing.assert_allclose(scores.std(0), 1, atol=0.02)
    assert np.all(scipy.stats.spearmanr(scores[:, 0], known[:, 0]).statistic > 0.9999)


def test_a_foreign_value_gets_the_outermost_score() -> None:
    quantiles = LEVELS[:, None]
    edge = scipy.stats.norm.ppf(1 - 0.5 / 101)
    np.testing.assert_allclose(normal_scores([[1e9], [-1e9]], quantiles), [[edge], [-edge]])
