"""People dealt to the sides of a split: nobody stands on two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

from isocenter.data.random import child
from isocenter.errors import UsageError

__all__ = ["Split", "check_disjoint", "split_people"]

Split = Mapping[str, tuple[str, ...]]
"""Side name to sorted people."""


def split_people(
    people: Iterable[str],
    shares: Mapping[str, float],
    *,
    rng: torch.Generator,
    fixed: Mapping[str, str] | None = None,
) -> Split:
    """Deal people to sides, independent of their order and number of scans.

    Args:
        people: Names; repetitions count once.
        shares: Side name to its share, summing to 1.
        rng: Decides the order in which people are dealt, person by person.
        fixed: Person to side, decided beforehand.

    Returns:
        Every person on exactly one side.
    """
    fixed = dict(fixed or {})
    names = sorted(set(people))
    order = sorted(names, key=lambda name: float(torch.rand((), generator=child(rng, name))))
    sides: dict[str, list[str]] = {side: [] for side in shares}
    for name in order:
        if name in fixed:
            sides[fixed[name]].append(name)
    for name in order:
        if name not in fixed:
            # The side that is furthest behind its share gets the next person.
            side = max(shares, key=lambda s: shares[s] * len(names) - len(sides[s]))
            sides[side].append(name)
    return {side: tuple(sorted(members)) for side, members in sides.items()}


def check_disjoint(split: Split) -> None:
    """Refuse a split with a person on two sides.

    Raises:
        UsageError: Names the people.
    """
    seen: dict[str, str] = {}
    for side, members in split.items():
        for person in members:
            if person in seen:
                raise UsageError(
                    f"{person} stands in {seen[person]} and in {side}: split by person"
                )
            seen[person] = side
