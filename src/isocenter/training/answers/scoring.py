"""Tables of methods: figures with intervals by person, and paired differences."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError
from isocenter.statistics.bootstrap import draws_by_person, two_sided
from isocenter.training.answers.figures import figures_of
from isocenter.training.engine.outcomes import Outcomes

__all__ = ["Method", "cell", "markdown", "pooled", "scored"]

Array = npt.NDArray[np.float64]
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
    # The same people are drawn for all methods, so that their differences are paired.
    draws = draws_by_person(people, rng=np.random.default_rng(seed), n_draws=N_DRAWS)
    every = [np.arange(len(people)), *draws]
    drawn = [
        {
            name: np.array([figure(rows) for rows in every])
            for name, figure in figures_of(method.outcomes).items()
        }
        for method in kept
    ]
    rows: list[dict[str, Any]] = [{"name": method.name} for method in kept]
    for number, (row, found) in enumerate(zip(rows, drawn, strict=True)):
        row["figures"] = {name: _measured(values) for name, values in found.items()}
        for name, values in found.items() if number else ():
            row["figures"][name]["difference"] = _difference(values, drawn[0].get(name))
    return {"n": len(people), "people": len(set(people)), "methods": rows}


def markdown(scores: Mapping[str, Any]) -> str:
    """The table as text: a row for each figure, a column for each method."""
    methods = scores["methods"]
    names = list(dict.fromkeys(name for method in methods for name in method["figures"]))
    head = ["figure", *(method["name"] for method in methods)]
    lines = [_row(head), _row(["---"] * len(head))]
    lines += [
        _row([name, *(cell(method["figures"].get(name)) for method in methods)]) for name in names
    ]
    told = f"{scores['n']} items of {scores['people']} people; in brackets 95 % intervals by person"
    others = [
        (method["name"], {k: v.get("difference") for k, v in method["figures"].items()})
        for method in methods[1:]
    ]
    head = [f"minus {methods[0]['name']}", *(name for name, _ in others)]
    paired = [_row([name, *(cell(found.get(name)) for _, found in others)]) for name in names]
    if others:
        lines += ["", _row(head), _row(["---"] * len(head)), *paired]
    return "\n".join([told, "", *lines]) + "\n"


def cell(entry: Mapping[str, Any] | None) -> str:
    """A figure of :func:`scored` with its interval; a dash where there is none."""
    if entry is None or entry["value"] is None:
        return "-"
    low, high = ("-" if end is None else f"{end:.3f}" for end in entry["interval"])
    return f"{entry['value']:.3f} [{low}, {high}]"


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


def _measured(drawn: Array) -> dict[str, Any]:
    """The value on all rows stands first, those of the draws behind it."""
    if math.isnan(drawn[0]):
        return {"value": None, "interval": None}
    return {"value": float(drawn[0]), "interval": [_plain(end) for end in _ends(drawn[1:])]}


def _difference(one: Array, other: Array | None) -> dict[str, Any] | None:
    """``one`` minus ``other`` on the same draws; ``None`` where either is not defined."""
    if other is None or math.isnan(one[0]) or math.isnan(other[0]):
        return None
    apart = one - other
    return {**_measured(apart), "p": two_sided(apart[1:])}


def _ends(drawn: Array) -> tuple[float, float]:
    kept = drawn[~np.isnan(drawn)]
    if not kept.size:
        return math.nan, math.nan
    low, high = np.percentile(kept, [2.5, 97.5])
    return float(low), float(high)


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
