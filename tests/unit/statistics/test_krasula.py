"""Pairs that raters tell apart."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from isocenter.errors import InputError, UsageError
from isocenter.statistics import krasula_analysis
from isocenter.statistics.krasula import _better_worse, _Pairs

REFERENCES = [f"reference {i}" for i in range(8) for _ in range(14)]


def study(rng: np.random.Generator, noise: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Scores of measures and opinions of 16 raters, each of deviation 0.6."""
    truth = rng.normal(size=112)
    scores = np.stack([truth + sd * rng.normal(size=112) for sd in noise])
    return scores, truth + 0.15 * rng.normal(size=112)


def slow_form(score, y, error, groups=None) -> tuple[float, float, float]:
    """The three figures by loops over pairs and over pairs of pairs."""
    different, similar, forward = [], [], []
    for i, j in itertools.combinations(range(len(y)), 2):
        if groups is not None and groups[i] != groups[j]:
            continue
        apart = abs(y[i] - y[j]) / math.sqrt(error[i] ** 2 + error[j] ** 2) > 1.959964
        (different if apart else similar).append(abs(score[i] - score[j]))
        if apart:
            forward.append((score[i] - score[j]) * (1 if y[i] > y[j] else -1))

    def area(high: list[float], low: list[float]) -> float:
        return float(np.mean([(a > b) + 0.5 * (a == b) for a in high for b in low]))

    mirrored = area(forward, [-step for step in forward])
    return area(different, similar), mirrored, float(np.mean([step > 0 for step in forward]))


@pytest.mark.parametrize("within", [False, True])
def test_figures_are_those_of_loops(within: bool) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 6, 24).astype(float)
    y, scores = truth + 0.2 * rng.normal(size=24), np.round(truth + rng.normal(size=(2, 24)))
    deviation, n_raters = rng.uniform(0.5, 2, 24), rng.integers(5, 20, 24)
    groups = [f"r{i % 3}" for i in range(24)]
    found = krasula_analysis(
        "ab", scores, y, deviation=deviation, n_raters=n_raters, references=groups, within=within
    )
    for method in range(2):
        expected = slow_form(
            scores[method], y, deviation / np.sqrt(n_raters), groups if within else None
        )
        ours = [
            part[method] for part in (found.different_similar, found.better_worse, found.correct)
        ]
        assert ours == pytest.approx(expected)
    assert found.n_different + found.n_similar == (3 * 28 if within else 276)


def test_order_of_images_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    scores, y = study(rng, [0.3, 0.6])
    order = rng.permutation(112)
    plain = krasula_analysis("ab", scores, y, deviation=np.full(112, 0.6), n_raters=16)
    turned = krasula_analysis(
        "ab", scores[:, order], y[order], deviation=np.full(112, 0.6), n_raters=16
    )
    np.testing.assert_allclose(turned.better_worse, plain.better_worse)
    np.testing.assert_allclose(turned.better_worse_tests.p, plain.better_worse_tests.p)
    np.testing.assert_allclose(turned.different_similar_tests.p, plain.different_similar_tests.p)


def test_a_perfect_measure_and_its_opposite() -> None:
    rng = np.random.default_rng(2)
    _, y = study(rng, [1.0])
    found = krasula_analysis(
        ["same", "turned"], [y, -y], y, deviation=np.full(112, 0.6), n_raters=16
    )
    assert found.different_similar == pytest.approx([1, 1])
    assert found.better_worse == pytest.approx([1, 0])
    assert found.correct == pytest.approx([1, 0])


def test_variance_of_better_against_worse_is_right_for_independent_pairs() -> None:
    """Against the spread of the area over many trials."""
    rng = np.random.default_rng(3)
    areas, variances = [], []
    none = np.zeros(80, int)
    for _ in range(500):
        steps = rng.normal(size=(1, 80)) + 0.8
        pairs = _Pairs(none, none, np.ones(80, bool), np.ones(80), steps)
        area, covariance = _better_worse(pairs)
        areas.append(area[0])
        variances.append(covariance[0, 0])
    assert np.mean(variances) == pytest.approx(np.var(areas), rel=0.15)


def test_only_the_jackknife_keeps_its_level() -> None:
    """Two equally good measures with offsets between references."""
    rng = np.random.default_rng(4)
    hits = {"delong": np.zeros(2), "jackknife": np.zeros(2)}
    references = REFERENCES[::2]
    for _ in range(60):
        scores, y = (values[..., ::2] for values in study(rng, [0.6, 0.6]))
        scores = scores + np.repeat(0.3 * rng.normal(size=(2, 8)), 7, axis=1)
        for test, count in hits.items():
            found = krasula_analysis(
                "ab",
                scores,
                y,
                deviation=np.full(56, 0.6),
                n_raters=16,
                references=references,
                test=test,
            )
            tables = found.different_similar_tests, found.better_worse_tests
            count += [table.p[0, 1] < 0.05 for table in tables]
    assert (hits["jackknife"] <= 8).all()
    assert (hits["delong"] >= 15).all()


def test_a_real_difference_is_found() -> None:
    scores, y = study(np.random.default_rng(5), [0.1, 1.0])
    found = krasula_analysis(
        ["good", "poor"],
        scores,
        y,
        deviation=np.full(112, 0.6),
        n_raters=16,
        references=REFERENCES,
        test="jackknife",
    )
    assert found.different_similar_tests.differs()[0, 1]
    assert found.better_worse_tests.differs()[0, 1]
    assert found.better_worse_tests.statistic[0, 1] > 0
    assert found.correct[0] > found.correct[1]


def test_what_cannot_be_analysed_is_refused() -> None:
    scores, y = study(np.random.default_rng(6), [0.3, 0.6])
    spread = np.full(112, 0.6)
    with pytest.raises(InputError, match="raters tell 0 of 6216 pairs apart"):
        krasula_analysis("ab", scores, np.zeros(112), deviation=spread, n_raters=16)
    with pytest.raises(InputError, match="112 of 112 standard errors"):
        krasula_analysis("ab", scores, y, deviation=spread, n_raters=1)
    with pytest.raises(InputError, match="scores are infinite"):
        krasula_analysis("ab", np.full((2, 112), np.inf), y, deviation=spread, n_raters=16)
    with pytest.raises(UsageError, match="name the reference of each of 112 images"):
        krasula_analysis("ab", scores, y, deviation=spread, n_raters=16, test="jackknife")
    with pytest.raises(UsageError, match="one length"):
        krasula_analysis("ab", scores, y, deviation=spread[:5], n_raters=16)
