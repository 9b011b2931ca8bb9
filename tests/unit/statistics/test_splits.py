"""Splits by group."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.errors import UsageError
from isocenter.statistics import Split, drawn_splits, leave_groups_out

EIGHT = [f"reference {i}" for i in range(8) for _ in range(14)]


def check_disjoint(split: Split, groups: list[str]) -> None:
    sides = [split.train, split.validation, split.test]
    assert sorted(np.concatenate(sides).tolist()) == list(range(len(groups)))
    owners = [{groups[row] for row in side} for side in sides]
    assert len(owners[0] | owners[1] | owners[2]) == sum(map(len, owners))
    assert owners[2] == set(split.test_groups)


def test_eight_references_leave_two_out_in_28_ways() -> None:
    splits = list(leave_groups_out(EIGHT))
    assert len(splits) == len({split.test_groups for split in splits}) == 28
    assert {len(split.test) for split in splits} == {28}
    assert {len(split.validation) for split in splits} == {0}
    assert len(list(leave_groups_out(EIGHT, n_test=1))) == 8


@given(
    st.lists(st.sampled_from("abcdef"), min_size=4, max_size=20).filter(lambda g: len(set(g)) > 2),
    st.integers(1, 3),
    st.integers(0, 2),
)
def test_every_split_is_there_once_and_disjoint(
    groups: list[str], n_test: int, n_validation: int
) -> None:
    n = len(set(groups))
    if n_test + n_validation >= n:
        with pytest.raises(UsageError, match="leave none"):
            leave_groups_out(groups, n_test=n_test, n_validation=n_validation)
        return
    splits = list(leave_groups_out(groups, n_test=n_test, n_validation=n_validation))
    assert len(splits) == math.comb(n, n_test) * math.comb(n - n_test, n_validation)
    assert len({(s.test_groups, tuple(s.validation)) for s in splits}) == len(splits)
    for split in splits:
        check_disjoint(split, groups)


def test_order_of_rows_does_not_change_the_groups() -> None:
    forth = [split.test_groups for split in leave_groups_out(EIGHT)]
    assert forth == [split.test_groups for split in leave_groups_out(EIGHT[::-1])]


def test_drawn_splits_are_disjoint_and_repeat_with_their_generator() -> None:
    def draw(seed: int) -> list[Split]:
        rng = np.random.default_rng(seed)
        return list(drawn_splits(EIGHT, n_test=2, n_validation=1, n_repeats=40, rng=rng))

    for split in draw(0):
        check_disjoint(split, EIGHT)
        assert (len(split.test), len(split.validation), len(split.train)) == (28, 14, 70)
    tested = [split.test_groups for split in draw(0)]
    assert tested == [split.test_groups for split in draw(0)]
    assert tested != [split.test_groups for split in draw(1)]
    assert {name for names in tested for name in names} == set(EIGHT)


@pytest.mark.parametrize("n_test", [0, 8, 9])
def test_a_split_without_a_side_is_refused_at_once(n_test: int) -> None:
    with pytest.raises(UsageError):
        leave_groups_out(EIGHT, n_test=n_test)
    with pytest.raises(UsageError):
        drawn_splits(EIGHT, n_test=n_test, n_repeats=1, rng=np.random.default_rng(0))
