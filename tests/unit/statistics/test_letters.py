"""Compact letters."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.errors import UsageError
from isocenter.statistics import compact_letters, equals_of_best


@st.composite
def relations(draw: st.DrawFn) -> tuple[list[str], list[float], np.ndarray]:
    """Any symmetric relation, far less orderly than tests would give."""
    n = draw(st.integers(1, 9))
    differs = np.zeros((n, n), bool)
    for i, j in itertools.combinations(range(n), 2):
        differs[i, j] = differs[j, i] = draw(st.booleans())
    values = draw(st.lists(st.floats(0, 1), min_size=n, max_size=n))
    return [f"m{i}" for i in range(n)], values, differs


@given(relations())
def test_two_share_a_letter_exactly_when_they_do_not_differ(given_relation) -> None:
    names, values, differs = given_relation
    letters = compact_letters(names, values, differs).letters
    for i, j in itertools.product(range(len(names)), repeat=2):
        share = bool(set(letters[names[i]]) & set(letters[names[j]]))
        assert share == (not differs[i, j])


@given(relations())
def test_every_group_is_as_large_as_can_be_and_needed(given_relation) -> None:
    names, values, differs = given_relation
    place = {name: i for i, name in enumerate(names)}
    groups = [
        {place[name] for name in group} for group in compact_letters(names, values, differs).groups
    ]
    for group in groups:
        others = set(range(len(names))) - group
        assert all(any(differs[other, member] for member in group) for other in others)
        rest = [g for g in groups if g is not group]
        pairs = itertools.combinations_with_replacement(group, 2)
        assert not all(any(i in g and j in g for g in rest) for i, j in pairs)


@given(relations())
def test_letters_start_at_the_best_and_follow_the_groups(given_relation) -> None:
    names, values, differs = given_relation
    display = compact_letters(names, values, differs)
    ordered = [values[names.index(name)] for name in display.letters]
    assert ordered == sorted(values, reverse=True)
    assert "a" in display.letters[next(iter(display.letters))]
    for letter, group in zip("abcdefghijklmnop", display.groups, strict=False):
        assert {name for name, own in display.letters.items() if letter in own} == set(group)


def test_a_chain_is_an_overlap_of_groups() -> None:
    """Neighbours alone do not differ: each letter spans two methods."""
    n = 5
    differs = np.abs(np.subtract.outer(range(n), range(n))) > 1
    display = compact_letters("vwxyz", [5, 4, 3, 2, 1], differs)
    assert display.groups == (("v", "w"), ("w", "x"), ("x", "y"), ("y", "z"))
    assert display.letters["w"] == ("a", "b")
    assert equals_of_best("vwxyz", [1, 2, 3, 4, 5], differs) == ("z", "y")


def test_more_methods_than_letters() -> None:
    n = 30
    names = [f"m{i}" for i in range(n)]
    display = compact_letters(names, np.arange(n), ~np.eye(n, dtype=bool))
    assert display.letters["m29"] == ("a",)
    assert display.letters["m0"] == ("ad",)


def test_relations_that_make_no_sense() -> None:
    with pytest.raises(UsageError, match="symmetric"):
        compact_letters("ab", [1, 2], [[False, True], [False, False]])
    with pytest.raises(UsageError, match="symmetric"):
        compact_letters("ab", [1, 2], np.eye(2, dtype=bool))
    with pytest.raises(UsageError, match="one name"):
        compact_letters("aa", [1, 2], np.zeros((2, 2), bool))
    with pytest.raises(UsageError, match="do not match"):
        equals_of_best("abc", [1, 2], np.zeros((3, 3), bool))
