"""All pairs, corrected."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from isocenter.errors import UsageError
from isocenter.statistics import Comparison, all_pairs, benjamini_hochberg
from isocenter.statistics.comparison import z_test


def slow_adjustment(p: list[float]) -> list[float]:
    """The least level at which the step-up rule rejects each one."""

    def rejects(level: float) -> set[int]:
        order = np.argsort(p)
        passed = [k for k, i in enumerate(order) if p[i] <= level * (k + 1) / len(p) + 1e-12]
        return set(order[: max(passed) + 1]) if passed else set()

    levels = sorted({min(1.0, value * len(p) / k) for value in p for k in range(1, len(p) + 1)})
    return [next((level for level in levels if i in rejects(level)), 1.0) for i in range(len(p))]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_adjusted_p_is_the_level_at_which_the_rule_rejects(p: list[float]) -> None:
    found = benjamini_hochberg(np.array(p))
    assert found == pytest.approx(slow_adjustment(p), abs=1e-9)
    assert found == pytest.approx(scipy.stats.false_discovery_control(p))


def test_tests_without_a_value_are_not_counted() -> None:
    found = benjamini_hochberg(np.array([0.01, math.nan, 0.04]))
    assert found == pytest.approx([0.02, math.nan, 0.04], nan_ok=True)
    assert np.isnan(benjamini_hochberg(np.array([math.nan]))).all()


def test_the_table_is_symmetric_in_p_and_corrected_once() -> None:
    p = {(0, 1): 0.01, (0, 2): 0.04, (1, 2): math.nan}
    table = all_pairs("abc", lambda i, j: Comparison(float(i - j), p[min(i, j), max(i, j)]))
    assert table.names == ("a", "b", "c")
    assert table.statistic[0, 2] == -table.statistic[2, 0] == -2
    np.testing.assert_array_equal(table.p, table.p.T)
    np.testing.assert_allclose(table.adjusted[0], [1, 0.02, 0.04])
    assert table.differs().tolist() == [
        [False, True, True],
        [True, False, False],
        [True, False, False],
    ]
    assert not table.differs(0.01).any()
    with pytest.raises(UsageError, match="level"):
        table.differs(5.0)


def test_one_method_has_no_pairs() -> None:
    assert all_pairs(["only"], lambda i, j: Comparison(0.0, 0.0)).adjusted.tolist() == [[1.0]]


def test_z_and_students_t() -> None:
    assert z_test(1.96, 1.0).p == pytest.approx(0.05, abs=1e-4)
    assert z_test(2.365, 1.0, freedom=7).p == pytest.approx(0.05, abs=1e-4)
    assert z_test(0.0, 0.0) == Comparison(0.0, 1.0)
    assert z_test(-0.5, 0.0) == Comparison(-math.inf, 0.0)
