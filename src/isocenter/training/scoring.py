"""Tables of methods: figures with intervals by person, and paired differences."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isocenter.errors import UsageError
from isocenter.statistics import bootstrap_by_person, bootstrap_difference_by_person
from isocenter.training.figures import Figure, figures_of
from isocenter.training.outcomes import Outcomes

__all__ = ["Method", "markdown", "pooled", "scored"]

N_DRAWS = 1000


@dataclass(frozen=True, eq=False)
class Method:
    """Who gave answers."""

    name: str
    outcomes: Outcomes


def pooled(parts: Sequence[Outcomes]) -> Outcomes:
    """All rows of several folds.

    Raises:
        UsageError: An item stands in two of them, or they answer different questions.
    """
    first = parts[0]
    if any((part.kind, part.columns) != (first.kind, first.columns) for part in parts):
        raise UsageError("these runs answer different questions: evaluate them apart")
    keys = [key for part in parts for key in _keys(part)]
    twice = next((key for i, key in enumerate(sorted(keys)[1:]) if key == sorted(keys)[i]), None)
    if twice is not None:
        raise UsageError(f"{' '.join(twice)} stands in two folds: pool folds that share nobody")
    return replace(
        first,
        people=tuple(person for part in parts for person in part.people),
        items=tuple(item for part in parts for item in part.items),
        truth=np.concatenate([part.truth for part in parts]),
        outputs=np.concatenate([part.outputs for part in parts]),
    )


def scored(methods: Sequence[Method], *, seed: int = 0) -> dict[str, Any]:
    """Figures of every method, and how each differs from the first one.

    Args:
        methods: The first one is what the others are compared with.  All are judged on the rows
            that they have in common.
        seed: Of the draws of people.

    Returns:
        Plain values: ``n`` rows, ``people``, ``methods`` with name and figures, each with
        ``value``, ``interval`` and, but for the first method, ``difference``; a figure that is
        not defined is ``None``.

    Raises:
        UsageError: Nothing in common.
    """
    kept = _in_common(methods)
    people = kept[0].outcomes.people
    reference = figures_of(kept[0].outcomes)
    rows = []
    for method in kept:
        figures = {
            name: _measured(people, figure, seed)
            for name, figure in figures_of(method.outcomes).items()
        }
        if method is not kept[0]:
            for name, figure in figures_of(method.outcomes).items():
                other = reference.get(name)
                figures[name]["difference"] = other and _difference(people, figure, other, seed)
        rows.append({"name": method.name, "figures": figures})
    return {"n": len(people), "people": len(set(people)), "methods": rows}


def markdown(scores: Mapping[str, Any]) -> str:
    """The table as text: a row for each figure, a column for each method."""
    methods = scores["methods"]
    names = list(dict.fromkeys(name for method in methods for name in method["figures"]))
    head = ["figure", *(method["name"] for method in methods)]
    lines = [_row(head), _row(["---"] * len(head))]
    lines += [
        _row([name, *(_cell(method["figures"].get(name)) for method in methods)]) for name in names
    ]
    told = f"{scores['n']} items of {scores['people']} people; in brackets 95 % intervals by person"
    others = [
        (method["name"], {k: v.get("difference") for k, v in method["figures"].items()})
        for method in methods[1:]
    ]
    head = [f"minus {methods[0]['name']}", *(name for name, _ in others)]
    paired = [_row([name, *(_cell(found.get(name)) for _, found in others)]) for name in names]
    if others:
        lines += ["", _row(head), _row(["---"] * len(head)), *paired]
    return "\n".join([told, "", *lines]) + "\n"


def _in_common(methods: Sequence[Method]) -> list[Method]:
    places = [{key: i for i, key in enumerate(_keys(m.outcomes))} for m in methods]
    common = [key for key in _keys(methods[0].outcomes) if all(key in place for place in places)]
    if not common:
        raise UsageError("these runs were tested on different scans: there is nothing to compare")
    return [
        Method(method.name, _picked(method.outcomes, [place[key] for key in common]))
        for method, place in zip(methods, places, strict=True)
    ]


def _picked(outcomes: Outcomes, rows: list[int]) -> Outcomes:
    return replace(
        outcomes,
        people=tuple(outcomes.people[i] for i in rows),
        items=tuple(outcomes.items[i] for i in rows),
        truth=outcomes.truth[rows],
        outputs=outcomes.outputs[rows],
    )


def _keys(outcomes: Outcomes) -> list[tuple[str, str]]:
    return list(zip(outcomes.people, outcomes.items, strict=True))


def _measured(people: Sequence[str], figure: Figure, seed: int) -> dict[str, Any]:
    value = figure(np.arange(len(people)))
    if math.isnan(value):
        return {"value": None, "interval": None}
    rng = np.random.default_rng(seed)
    low, high = bootstrap_by_person(people, figure, rng=rng, n_draws=N_DRAWS)
    return {"value": value, "interval": [_plain(low), _plain(high)]}


def _difference(
    people: Sequence[str], one: Figure, other: Figure, seed: int
) -> dict[str, Any] | None:
    """``one`` minus ``other`` on the same draws; ``None`` where either is not defined."""
    every = np.arange(len(people))
    if math.isnan(one(every)) or math.isnan(other(every)):
        return None
    rng = np.random.default_rng(seed)
    found = bootstrap_difference_by_person(people, one, other, rng=rng, n_draws=N_DRAWS)
    return {"value": found.value, "interval": [_plain(found.low), _plain(found.high)], "p": found.p}


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(entry: Mapping[str, Any] | None) -> str:
    if entry is None or entry["value"] is None:
        return "-"
    low, high = ("-" if end is None else f"{end:.3f}" for end in entry["interval"])
    return f"{entry['value']:.3f} [{low}, {high}]"
