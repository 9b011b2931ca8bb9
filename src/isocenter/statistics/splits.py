"""Splits by group: no reference, person or site is on two sides."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError

__all__ = ["Split", "drawn_splits", "leave_groups_out"]

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of either side, in ascending order."""

    train: Rows
    validation: Rows
    """For stopping and selecting; empty where none was asked for."""
    test: Rows
    test_groups: tuple[str, ...]


def leave_groups_out(
    groups: Sequence[str], *, n_test: int = 2, n_validation: int = 0
) -> Iterator[Split]:
    """Every way to hold ``n_test`` groups out, in a fixed order.

    Of 8 references there are 28 ways to leave two out and 8 to leave one out.  With
    ``n_validation`` every choice of test groups comes with every choice of validation groups
    among the others.  Leaving one site out is ``n_test=1``.

    >>> groups = [f"reference {i}" for i in range(8) for _ in range(14)]
    >>> sum(1 for _ in leave_groups_out(groups, n_test=2))
    28

    Args:
        groups: Reference, person or site of every row.
        n_test: Groups in test, 1 or more.
        n_validation: Groups in validation.

    Raises:
        UsageError: No group would be left for training.
    """
    names = _names(groups, n_test, n_validation)
    return (
        _split(groups, test, validation)
        for test in itertools.combinations(names, n_test)
        for validation in itertools.combinations(
            [name for name in names if name not in test], n_validation
        )
    )


def drawn_splits(
    groups: Sequence[str],
    *,
    n_test: int,
    n_repeats: int,
    rng: np.random.Generator,
    n_validation: int = 0,
) -> Iterator[Split]:
    """Splits by chance, for collections with too many groups to enumerate.

    The custom of the field is a fifth of the contents in test, 10 to 1000 repeats, and the
    median of the correlations.

    Args:
        groups: Reference, person or site of every row.
        n_test: Groups in test, 1 or more.
        n_repeats: Number of splits; one may come twice.
        rng: Draws the groups.
        n_validation: Groups in validation.

    Raises:
        UsageError: No group would be left for training.
    """
    names = _names(groups, n_test, n_validation)
    return (
        _split(groups, sorted(drawn[:n_test]), drawn[n_test : n_test + n_validation])
        for drawn in ([names[i] for i in rng.permutation(len(names))] for _ in range(n_repeats))
    )


def _names(groups: Sequence[str], n_test: int, n_validation: int) -> list[str]:
    names = sorted(set(groups))
    if n_test < 1 or n_validation < 0 or n_test + n_validation >= len(names):
        raise UsageError(
            f"{n_test} test and {n_validation} validation groups of {len(names)} leave none to "
            "train on, or none to test; choose fewer, and at least one for test"
        )
    return names


def _split(groups: Sequence[str], test: Iterable[str], validation: Iterable[str]) -> Split:
    in_test, in_validation = set(test), set(validation)
    side = np.array([(g in in_test) + 2 * (g in in_validation) for g in groups])
    train, tested, validated = (np.flatnonzero(side == code) for code in range(3))
    return Split(train, validated, tested, tuple(sorted(in_test)))
