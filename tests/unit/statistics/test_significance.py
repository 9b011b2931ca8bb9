"""Tests of one measure against another."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from isocenter.errors import InputError, UsageError
from isocenter.statistics import (
    compact_letters,
    f_test,
    meng_test,
    pairs_by_bootstrap,
    pairs_by_f_test,
    pairs_by_jackknife,
    pairs_by_meng_test,
    srocc,
    steiger_test,
)


def three_correlations(rng: np.random.Generator, n: int, first: float, second: float):
    """Correlations of two measures with opinions, and of the measures; Gaussian."""
    y = rng.normal(size=n)
    a = first * y + math.sqrt(1 - first**2) * rng.normal(size=n)
    b = second * y + math.sqrt(1 - second**2) * rng.normal(size=n)
    r = np.corrcoef([a, b, y])
    return float(r[0, 2]), float(r[1, 2]), float(r[0, 1])


def test_f_test_by_hand() -> None:
    one, other = np.array([-2.0, 0, 2, 4]), np.array([1.0, 2, 3, 4])
    found = f_test(one, other)
    assert found.statistic == pytest.approx(4)
    assert found.p == pytest.approx(2 * scipy.stats.f.sf(4, 3, 3))
    assert f_test(other, one).statistic == pytest.approx(1 / 4)
    assert f_test(other, one).p == pytest.approx(found.p)


def test_f_test_of_perfect_measures() -> None:
    assert f_test([1, 1, 1], [2, 2, 2]).p == 1
    assert f_test([1, 2, 3], [2, 2, 2]).p == 0
    assert f_test([2, 2, 2], [1, 2, 3]).p == 0


def test_f_test_refuses_what_it_cannot_use() -> None:
    with pytest.raises(UsageError, match="two residuals"):
        f_test([1], [1, 2])
    with pytest.raises(InputError, match="residuals"):
        f_test([1, math.inf], [1, 2])


def test_f_test_calls_equal_variances_different_in_one_of_twenty() -> None:
    rng = np.random.default_rng(0)
    p = [f_test(*rng.normal(size=(2, 30))).p for _ in range(500)]
    assert 0.03 <= np.mean(np.array(p) < 0.05) <= 0.075


@pytest.mark.parametrize("test", [steiger_test, meng_test])
@pytest.mark.parametrize("r", [0.3, 0.8])
def test_equal_correlations_are_called_different_in_one_of_twenty(test, r: float) -> None:
    rng = np.random.default_rng(1)
    p = [test(*three_correlations(rng, 50, r, r), 50).p for _ in range(1500)]
    assert 0.035 <= np.mean(np.array(p) < 0.05) <= 0.067


@pytest.mark.parametrize("test", [steiger_test, meng_test])
def test_a_real_difference_is_found(test) -> None:
    rng = np.random.default_rng(2)
    p = [test(*three_correlations(rng, 112, 0.9, 0.7), 112).p for _ in range(100)]
    assert np.mean(np.array(p) < 0.05) > 0.95


def test_meng_by_hand() -> None:
    """Correlations 0.63 and -0.03 on 15 cases, -0.19 between the measures: z = 1.68."""
    found = meng_test(0.63, -0.03, -0.19, 15)
    assert found.statistic == pytest.approx(1.68, abs=0.005)
    assert found.p == pytest.approx(0.093, abs=0.002)


def test_the_two_tests_agree_on_many_images() -> None:
    for between in (0.3, 0.6, 0.9):
        ours = [test(0.75, 0.72, between, 2000).statistic for test in (steiger_test, meng_test)]
        assert ours[0] == pytest.approx(ours[1], rel=0.01)


@pytest.mark.parametrize("test", [steiger_test, meng_test])
def test_dependence_sharpens_and_order_does_not_matter(test) -> None:
    assert test(0.8, 0.7, 0.9, 50).p < test(0.8, 0.7, 0.3, 50).p
    there, back = test(0.8, 0.7, 0.6, 50), test(0.7, 0.8, 0.6, 50)
    assert there.statistic == pytest.approx(-back.statistic)
    assert test(0.8, 0.8, 1.0, 50).p == 1


@pytest.mark.parametrize("test", [steiger_test, meng_test])
def test_correlations_that_make_no_sense(test) -> None:
    assert math.isnan(test(1.0, 0.5, 0.5, 20).p)
    assert math.isnan(test(math.nan, 0.5, 0.5, 20).p)
    with pytest.raises(UsageError, match="-1 to 1"):
        test(1.2, 0.5, 0.5, 20)
    with pytest.raises(UsageError, match="four images"):
        test(0.6, 0.5, 0.5, 3)


REFERENCES = [f"reference {i}" for i in range(8) for _ in range(14)]


def measures(rng: np.random.Generator, noise: list[float]) -> tuple[np.ndarray, np.ndarray]:
    y = rng.normal(size=112)
    return np.stack([y + sd * rng.normal(size=112) for sd in noise]), y


def test_tables_of_all_pairs_find_the_outstanding_measure() -> None:
    rng = np.random.default_rng(3)
    scores, y = measures(rng, [0.2, 0.8, 0.8])
    names = ["good", "fair", "other"]
    tables = [
        pairs_by_meng_test(names, scores, y),
        pairs_by_jackknife(names, scores, y, REFERENCES),
        pairs_by_bootstrap(names, scores, y, REFERENCES, rng=rng, n_draws=300),
        pairs_by_f_test(names, scores - y),
    ]
    for table in tables:
        assert table.differs()[0].tolist() == [False, True, True]
        assert not table.differs()[1, 2]
        values = [srocc(row, y) for row in scores]
        assert compact_letters(names, values, table.differs()).letters["good"] == ("a",)
    assert tables[0].statistic[0, 1] > 0
    assert tables[1].statistic[0, 1] > 0
    assert tables[3].statistic[0, 1] < 1


def test_bootstrap_draws_references_together_for_all_methods() -> None:
    """Against one statistic after another on the same draws."""
    rng = np.random.default_rng(4)
    scores, y = measures(rng, [0.4, 0.5, 0.6])
    scores = np.round(scores, 1)
    table = pairs_by_bootstrap(
        "abc", scores, y, REFERENCES, rng=np.random.default_rng(5), n_draws=60
    )
    again = np.random.default_rng(5)
    drawn = []
    for _ in range(60):
        picked = again.integers(8, size=8)
        rows = np.concatenate([np.arange(14) + 14 * reference for reference in picked])
        drawn.append([srocc(row[rows], y[rows]) for row in scores])
    for i, j in itertools.combinations(range(3), 2):
        gap = np.array(drawn)[:, i] - np.array(drawn)[:, j]
        rarer = min(np.sum(gap <= 0), np.sum(gap >= 0))
        assert table.p[i, j] == pytest.approx(min(1, 2 * (rarer + 1) / 61))
        assert table.statistic[i, j] == pytest.approx(srocc(scores[i], y) - srocc(scores[j], y))


def test_shapes_are_checked() -> None:
    rng = np.random.default_rng(6)
    scores, y = measures(rng, [0.4, 0.5])
    with pytest.raises(UsageError, match="3 names for 2 rows"):
        pairs_by_meng_test("abc", scores, y)
    with pytest.raises(UsageError, match="112 images"):
        pairs_by_meng_test("ab", scores.T, y)
    with pytest.raises(UsageError, match="2 references for 112 images"):
        pairs_by_bootstrap("ab", scores, y, ["x", "y"], rng=rng)
    with pytest.raises(InputError, match="missing"):
        pairs_by_meng_test("ab", np.where(scores > 2, np.nan, scores), y)


def test_the_jackknife_by_hand() -> None:
    """Against pseudo-values, one reference after the other."""
    rng = np.random.default_rng(6)
    scores, y = measures(rng, [0.4, 0.6])
    owner = np.array(REFERENCES)

    def gap(kept: np.ndarray) -> float:
        first, second = (math.atanh(srocc(row[kept], y[kept])) for row in scores)
        return first - second

    whole = gap(owner != "")
    pseudo = np.array([8 * whole - 7 * gap(owner != one) for one in np.unique(owner)])
    t = whole / (pseudo.std(ddof=1) / math.sqrt(8))
    found = pairs_by_jackknife("ab", scores, y, REFERENCES)
    assert found.statistic[0, 1] == pytest.approx(t)
    assert found.statistic[1, 0] == pytest.approx(-t)
    assert found.p[0, 1] == pytest.approx(2 * scipy.stats.t.sf(abs(t), 7))


def false_positives(noise: float, offset: float, n_references: int) -> float:
    """Share of studies in which two equally good measures differ at p < 0.05."""
    rng = np.random.default_rng(7)
    owner = np.repeat(np.arange(n_references), 14)
    hits = []
    for _ in range(250):
        y = rng.normal(size=owner.size)
        scores = y + noise * rng.normal(size=(2, owner.size))
        scores += offset * rng.normal(size=(2, n_references))[:, owner]
        hits.append(pairs_by_jackknife("ab", scores, y, list(map(str, owner))).p[0, 1] < 0.05)
    return float(np.mean(hits))


@pytest.mark.parametrize(
    ("noise", "offset", "n_references"),
    [(0.6, 0.0, 8), (0.6, 0.3, 8), (1.5, 0.3, 4)],
)
def test_the_jackknife_keeps_its_level(noise: float, offset: float, n_references: int) -> None:
    assert 0.01 <= false_positives(noise, offset, n_references) <= 0.07


def test_the_jackknife_finds_a_real_difference_of_eight_references() -> None:
    rng = np.random.default_rng(8)
    found = [pairs_by_jackknife("ab", *measures(rng, [0.3, 0.9]), REFERENCES) for _ in range(40)]
    assert np.mean([one.p[0, 1] < 0.05 for one in found]) > 0.9


def test_the_jackknife_where_it_is_not_defined_shows_no_difference() -> None:
    y = np.arange(12.0)
    table = np.stack([y, y[::-1], np.roll(y, 3)])
    halves = ["one"] * 6 + ["other"] * 6
    assert np.isnan(pairs_by_jackknife("abc", table, y, halves).p[0, 1:]).all()
    alone = pairs_by_jackknife("bc", table[1:] + y % 5, y, ["one"] * 12)
    assert np.isnan(alone.p[0, 1])
    assert not alone.differs().any()
    equal = pairs_by_jackknife("ab", np.stack([y % 5, 2 * (y % 5)]), y, ["1", "2", "3"] * 4)
    assert equal.p[0, 1] == 1
    with pytest.raises(UsageError, match="2 references for 12 images"):
        pairs_by_jackknife("ab", table[:2], y, ["one", "other"])
