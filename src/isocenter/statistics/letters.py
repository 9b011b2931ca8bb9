"""Methods that cannot be told apart: groups instead of a league table."""

from __future__ import annotations

import itertools
import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError
from isocenter.statistics._inputs import Array, Relation, columns

__all__ = ["LetterDisplay", "compact_letters", "equals_of_best"]


@dataclass(frozen=True)
class LetterDisplay:
    """Groups of methods, none of which differs from another of its group."""

    groups: tuple[tuple[str, ...], ...]
    """Methods of every letter, best first."""
    letters: dict[str, tuple[str, ...]]
    """Letters of every method, methods in order from best to worst."""


def compact_letters(
    names: Sequence[str], values: npt.ArrayLike, differs: npt.ArrayLike
) -> LetterDisplay:
    """Letters such that two methods share one exactly when they do not differ.

    Insert and absorb: all methods start in one group; every pair that differs splits the
    groups that hold both into one without the first and one without the second; a group
    inside another is dropped.  What is left are the largest groups without a difference.
    Sweep: smallest first, a group is dropped when every two of its methods still meet in
    another.  Not to differ is not transitive, so a method may carry several letters.

    Args:
        names: The methods.
        values: One value a method, higher being better; it orders methods and letters.
        differs: Relation (methods, methods), symmetric, False on the diagonal, as of
            :meth:`~isocenter.statistics.Pairwise.differs`.

    Source: Piepho, J. Comput. Graph. Statist. 13, 2004, doi:10.1198/1061860043515.

    >>> display = compact_letters("xyz", [3, 2, 1], [[0, 0, 1], [0, 0, 0], [1, 0, 0]])
    >>> display.letters
    {'x': ('a',), 'y': ('a', 'b'), 'z': ('b',)}

    Raises:
        UsageError: Shapes do not match, or the relation is not symmetric.
    """
    value, relation = _checked(names, values, differs)
    order = [int(i) for i in np.argsort(-value, kind="stable")]
    rank = {method: place for place, method in enumerate(order)}
    groups = sorted(sorted(rank[m] for m in group) for group in _swept(_groups(relation)))
    members = [tuple(names[order[place]] for place in group) for group in groups]
    letters: dict[str, tuple[str, ...]] = {names[m]: () for m in order}
    for letter, group in zip(_alphabet(), members, strict=False):
        for name in group:
            letters[name] += (letter,)
    return LetterDisplay(tuple(members), letters)


def equals_of_best(
    names: Sequence[str], values: npt.ArrayLike, differs: npt.ArrayLike
) -> tuple[str, ...]:
    """The best method and those that do not differ from it, best first.

    Two of them may differ from each other; :func:`compact_letters` shows it.  Arguments and
    errors are the same.
    """
    value, relation = _checked(names, values, differs)
    order = np.argsort(-value, kind="stable")
    return tuple(names[int(i)] for i in order if not relation[order[0], i])


def _checked(
    names: Sequence[str], values: npt.ArrayLike, differs: npt.ArrayLike
) -> tuple[Array, Relation]:
    (value,), relation = columns(values), np.asarray(differs, bool)
    n = len(names)
    if len(set(names)) != n or value.size != n or relation.shape != (n, n) or n == 0:
        raise UsageError(
            f"{n} names, {value.size} values and a relation {relation.shape} do not match; "
            "give each method one name, one value, one row and one column"
        )
    if (relation != relation.T).any() or relation.diagonal().any():
        raise UsageError("the relation of differing methods must be symmetric, False on itself")
    return value, relation


def _groups(differs: Relation) -> set[frozenset[int]]:
    """The largest groups without a difference."""
    groups = {frozenset(range(len(differs)))}
    for pair in np.argwhere(np.triu(differs)):
        i, j = int(pair[0]), int(pair[1])
        split = {group for group in groups if i in group and j in group}
        halves = {group - {one} for group in split for one in (i, j)}
        kept = groups - split
        groups = kept | {half for half in halves if not any(half < g for g in kept | halves)}
    return groups


def _swept(groups: set[frozenset[int]]) -> list[frozenset[int]]:
    """Without groups whose every two methods meet in another."""
    left = sorted(groups, key=lambda group: (len(group), sorted(group)))
    for group in tuple(left):
        others = [other for other in left if other != group]
        pairs = itertools.combinations_with_replacement(sorted(group), 2)
        if all(any(i in other and j in other for other in others) for i, j in pairs):
            left = others
    return left


def _alphabet() -> itertools.chain[str]:
    """a to z, then aa, ab, ..."""
    return itertools.chain.from_iterable(
        map("".join, itertools.product(string.ascii_lowercase, repeat=n)) for n in (1, 2, 3)
    )
