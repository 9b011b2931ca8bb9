"""What ``isocenter metrics`` prints for each scan, in 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from isocenter.data.scores import Percentile, Score
from isocenter.reports.measures import (
    NUMBERS,
    among,
    figure,
    groups,
    is_odd,
    matrix,
    missing,
    ordinal,
    placed_in,
    short_names,
    why_not_placed,
)
from isocenter.reports.text import one_line

if TYPE_CHECKING:
    from isocenter.assessors import NoRating, Rating
    from isocenter.cli._measuring import Result

__all__ = ["brief_head", "brief_line", "table"]

WIDTH, LABEL = 80, 12
"""Columns of the terminal, and those before what a line says."""
NAME = 24
"""Columns of a scan's name in a brief line."""


def table(result: Result) -> str:
    """All lines about one scan."""
    lines = [result.head, *_comparison(result), *_measures(result), *_remarks(result)]
    return "\n".join(one_line(line).rstrip() for line in lines)


def brief_head(result: Result, n_scans: int) -> str:
    """The lines above the brief lines of a file of many scans."""
    place = among(result.scores)
    definition = result.document["definition"]
    lines = [f"{result.scan.name}   {n_scans} scans, {definition}"]
    if place is not None:
        lines += _said("among", _population(place))
    lines += _answers(result.ratings)
    names = [one.model for one in result.ratings]
    columns = "".join(f"{name:>8}" for name in names)
    lines += ["", f"  {'scan':<{NAME}}{'worse':>7}{columns}   farthest out"]
    return "\n".join(one_line(line).rstrip() for line in lines)


def brief_line(result: Result) -> str:
    """One line about one scan of many: how many measures are beyond the band on their worse
    side, what raters would say, and the measures that are farthest out."""
    judged = [score for score in result.scores if score.better is not None and is_odd(score)]
    numbers = "".join(f"{_probability(one):>8}" for one in result.ratings)
    name = one_line(result.document["input"])
    shown = name if len(name) < NAME else f"{name[: NAME - 4]}..."
    n_odd = str(len(judged)) if among(result.scores) else "-"
    line = f"  {shown:<{NAME}}{n_odd:>7}{numbers}   "
    for score in sorted(judged, key=_depth):
        longer = f"{line}{score.name} {_ordinal(score)}  "
        if len(longer.rstrip()) <= WIDTH:
            line = longer
    return line.rstrip()


def _comparison(result: Result) -> Iterator[str]:
    """What metrics looked at, and what they found."""
    found = result.metrics
    if found is None:
        return
    if result.reference is not None:
        yield from _said("against", result.reference)
    yield from _said("where", f"{found.where} ({found.n_voxels} voxels)")
    yield from _said("range", figure(found.data_range))
    if any(one.score.value is not None for one in found.found):
        yield ""
        yield f"  {'metric':<14}{'value':>10} {'unit':<7}{'better':<8}how"
    for one in found.found:
        if one.score.value is not None:
            better = one.score.better or ""
            unit = one.score.unit or ""
            value = figure(one.score.value)
            yield f"  {one.score.name:<14}{value:>10} {unit:<7}{better:<8}{one.how}"


def _measures(result: Result) -> Iterator[str]:
    """Group by group, then brightness by region."""
    if result.metrics is not None:
        return
    place = among(result.scores)
    yield from _said("measures", _counts(result))
    if place is not None:
        yield from _said("among", _population(place))
    for group in groups(result.scores):
        yield ""
        title = group.title
        percentile = f"{'percentile':>11}   5 % to 95 %" if place else ""
        yield f"  {title:<17}{'value':>10} {'unit':<8}{'better':<8}{percentile}"
        yield from (_row(score) for score in group.scores)
    yield from _brightness(result.scores)


def _counts(result: Result) -> str:
    n_found = sum(score.value is not None for score in result.scores)
    told = f"{n_found} of {len(result.scores)}, by the definition {result.document['definition']}"
    n_odd = sum(is_odd(score) for score in result.scores)
    return f"{told}; {n_odd} outside the band (!)" if n_odd else told


def _row(score: Score) -> str:
    start = f"    {score.name:<15}{figure(score.value):>10} {score.unit or '':<8}"
    start += f"{score.better or '':<8}"
    place = placed_in(score)
    if place is None or place.band is None:
        return start
    low, high = map(figure, place.band)
    return f"{start}{_ordinal(score):>9}{' !' if is_odd(score) else '  '}   {low} to {high}"


def _brightness(scores: Iterable[Score]) -> Iterator[str]:
    rows = matrix(scores)
    if not rows:
        return
    yield ""
    yield "  brightness (WM = 1000)"
    yield "    " + f"{'':<6}" + "".join(f"{name:>8}" for name in NUMBERS)
    for region, row in rows.items():
        yield f"    {region:<6}" + "".join(f"{figure(row.get(name)):>8}" for name in NUMBERS)


def _remarks(result: Result) -> Iterator[str]:
    """What has no value or no place among others, and why; ratings; what the reader noticed."""
    remarks: list[str] = []
    for gap in missing(result.scores):
        remarks += _said("no value", f"{short_names(gap.names)}: {gap.reason}")
    why = why_not_placed(result.scores)
    if why is not None:
        remarks += _said("rank", f"none: {why}")
    remarks += _ratings(result.ratings)
    for note in result.notes:
        remarks += _said("note", note)
    if remarks:
        yield ""
        yield from remarks


def _ratings(ratings: Iterable[Rating | NoRating]) -> list[str]:
    """What raters would say; one line of why not where no model says anything."""
    told = list(ratings)
    given = [one for one in told if not hasattr(one, "why_missing")]
    if told and not given:
        return _said("rating", f"none: {told[0].why_missing}")  # type: ignore[union-attr]
    return [line for one in given for line in _said("rating", _rating(one))]


def _answers(ratings: Iterable[Rating | NoRating]) -> list[str]:
    """What the columns of probabilities are of."""
    given = [(one.model, one.of) for one in ratings if not hasattr(one, "why_missing")]
    if not given:
        return _ratings(ratings)
    told = "; ".join(f"{model}, probability of {answer!r}" for model, answer in given)
    return _said("rating", told)


def _rating(rating: Rating) -> str:
    told = f"{rating.of}: {rating.probability:.0%} probable ({rating.model}"
    told += f", expected score {rating.expected:.1f})" if rating.expected else ")"
    if rating.outside:
        n_outside = len(rating.outside)
        told += f"; {n_outside} measures beyond all that it knows: do not rely on it"
    return told


def _probability(one: Rating | NoRating) -> str:
    probability = getattr(one, "probability", None)
    return "-" if probability is None else f"{probability:.2f}"


def _population(place: Percentile) -> str:
    return f"{place.n} scans of {place.population}"


def _ordinal(score: Score) -> str:
    place = placed_in(score)
    return "" if place is None or place.value is None else ordinal(place.value)


def _depth(score: Score) -> float:
    """Distance from the nearer end of the percentiles; small for what is far out."""
    place = placed_in(score)
    return 50.0 if place is None or place.value is None else min(place.value, 100 - place.value)


def _said(label: str, told: str) -> list[str]:
    """A label and a sentence, wrapped."""
    first, rest = f"  {label:<{LABEL - 2}}", " " * LABEL
    return textwrap.wrap(
        told, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )
