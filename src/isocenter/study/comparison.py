"""Every method on a user's rated images, and what can be said of their order."""

import os
import statistics as middle
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from isocenter.datasets.rad_iqmri import RatedImage, RatedSet
from isocenter.errors import InputError, NothingFound, UsageError
from isocenter.statistics.compared import Column, Compared, Missing, Rated, compare_values
from isocenter.study._methods import ALL, chosen, method
from isocenter.study._pictures import OF_REFERENCE, OF_TYPE, checked_range
from isocenter.study._scoring import Scored, Task, died, score
from isocenter.study._values import Entry, Values, mark
from isocenter.study.run import run
from isocenter.version import __version__

__all__ = ["compare"]

SAVED_EVERY = 2.0
"""Seconds between two writings of the table of values: what a kill can cost."""
DARK = 0.5
"""Share of a type's range below which the brightest reference makes a note."""


def compare(
    rated: RatedSet,
    *,
    rng: np.random.Generator,
    methods: str | Sequence[str] = ALL,
    data_range: str | float = OF_TYPE,
    workers: int = 1,
    weights: Mapping[str, Path] | None = None,
    own: Mapping[str, Sequence[float]] | None = None,
    values: Path | None = None,
    on_image: Callable[[Path, str | None], None] | None = None,
) -> Compared:
    """Run methods on rated images and group them by what cannot be told apart.

    Pictures go to the methods as they are.  Volumes go whole to methods that take volumes, and
    slice by slice to the others, whose mean over slices counts.  Each value is computed in one
    thread from one image alone, so the number of workers changes nothing.

    Args:
        rated: The images and their opinions, from
            :func:`~isocenter.datasets.rad_iqmri.read_ratings`.
        rng: Draws references for the intervals.
        methods: Names of metrics and baselines, or ``"all"``.
        data_range: ``"type"`` takes 255 or 65535 for pictures of integers, and else the
            reference's largest value; ``"reference"`` always the latter; a number is itself.
        workers: Number of processes.
        weights: Files of weights by method, for those that need one.
        own: Values of methods of your own by name: one a row of ``rated``, higher being better.
        values: Table that keeps every value as it is made (tab-separated); what it holds of the
            same files, range and version is not computed again.
        on_image: Called with every image when its turn is over, and what was wrong, or None.

    Raises:
        UsageError: No such method, or a range, a number of workers or values of your own that
            make no sense.
        InputError: Too few images are left, or ``values`` is another kind of file.
        ResourceError: ``values`` cannot be written.
    """
    names, policy = chosen(methods), checked_range(data_range)
    weights, own = dict(weights or {}), dict(own or {})
    _check(rated, names, workers, weights, own)
    places = [i for i, row in enumerate(rated.rows) if row.image != row.reference]
    table = Values(values)
    unarmed = [n for n in names if method(n).needs_weights and n not in weights]
    ready = [n for n in names if n not in unarmed]
    found = _Found(table, weights, policy)
    found.run(rated, places, ready, workers, on_image or _ignore)
    if not found.usable:
        first = next((f"{one.name}: {one.why}" for one in found.failed), "each rates a reference")
        raise InputError(f"no image could be used; {first}")
    columns, missing = found.columns(ready)
    missing += [Missing(n, "needs a file of weights, and none was given") for n in unarmed]
    kept = [place for place in places if place in found.usable]
    columns += [
        Column(name, "higher", tuple(float(numbers[place]) for place in kept))
        for name, numbers in own.items()
    ]
    notes = found.notes(len(rated.rows) - len(places))
    described = _rated(rated).subset(kept)
    compared = compare_values(described, columns, rng=rng, missing=missing, notes=notes)
    return replace(compared, failed=tuple(found.failed), data_range=_in_words(policy))


class _Found:
    """Values and failures, as they come in."""

    def __init__(self, table: Values, weights: Mapping[str, Path], policy: str | float) -> None:
        self.table, self.weights, self.policy = table, weights, policy
        self.marks: dict[int, str] = {}
        self.names: list[str] = []
        self.refused: dict[str, list[tuple[int, Missing]]] = {}
        self.failed: list[Missing] = []
        self.usable: set[int] = set()
        self.brightest = 0.0

    def run(
        self,
        rated: RatedSet,
        places: Sequence[int],
        methods: Sequence[str],
        workers: int,
        on_image: Callable[[Path, str | None], None],
    ) -> None:
        """Compute what the table does not hold."""
        self.names = _names(rated)
        tasks = [self._task(rated.rows[place], place, methods) for place in places]
        last = time.monotonic()
        try:
            for _, scored in run(score, tasks, workers=workers, on_death=died):
                self._take(scored)
                on_image(scored.task.row.image, scored.error.why if scored.error else None)
                if time.monotonic() - last > SAVED_EVERY:
                    self.table.save()
                    last = time.monotonic()
        finally:
            self.table.save()
        self.failed.sort(key=lambda one: one.name)

    def _task(self, row: RatedImage, place: int, methods: Sequence[str]) -> Task:
        missing = tuple(name for name in methods if self._entry(row, place, name) is None)
        return Task(place, self.names[place], row, missing, self.policy, self.weights)

    def _entry(self, row: RatedImage, place: int, name: str) -> Entry | None:
        if place not in self.marks:
            self.marks[place] = _mark_of(row, self.policy)
        return self.table.get(self.names[place], name, self._made_from(place, name))

    def _made_from(self, place: int, name: str) -> str:
        file = self.weights.get(name)
        return mark(self.marks[place], file) if file else self.marks[place]

    def _take(self, scored: Scored) -> None:
        task = scored.task
        if scored.error is not None:
            self.failed.append(scored.error)
            return
        self.usable.add(task.place)
        self.brightest = max(self.brightest, scored.brightest)
        for name, (value, seconds) in scored.values.items():
            made_from = self._made_from(task.place, name)
            self.table.add(task.name, name, Entry(value, float(f"{seconds:.4g}"), made_from))
        for name, why in scored.refused.items():
            self.refused.setdefault(name, []).append((task.place, why))

    def columns(self, methods: Sequence[str]) -> tuple[list[Column], list[Missing]]:
        """Methods with a value of every usable image, and the others."""
        places, columns, missing = sorted(self.usable), [], []
        for name in methods:
            if name in self.refused:
                _, first = min(self.refused[name], key=lambda pair: pair[0])
                missing.append(first)
                continue
            entries = [self.table.entries[self.names[place], name] for place in places]
            seconds = middle.median(entry.seconds for entry in entries)
            row = tuple(entry.value for entry in entries)
            columns.append(Column(name, method(name).better, row, method(name).kind, seconds))
        return columns, missing

    def notes(self, n_references: int) -> list[str]:
        """What is to be said of the images."""
        notes = []
        if n_references:
            notes.append(f"Rows that rate a reference itself are left out: {n_references}.")
        if self.failed:
            notes.append(f"Images that could not be used are left out: {len(self.failed)}.")
        if self.policy == OF_TYPE and 0 < self.brightest < DARK:
            notes.append(
                f"The brightest value of any reference is {100 * self.brightest:.2g} % of what the "
                "type of its file can hold: a data range of its own may suit the measures better."
            )
        return notes


def _check(
    rated: RatedSet,
    names: Sequence[str],
    workers: int,
    weights: Mapping[str, Path],
    own: Mapping[str, Sequence[float]],
) -> None:
    if workers < 1:
        raise UsageError(f"workers is {workers}: give 1 or more")
    for name, file in weights.items():
        if name not in names or not method(name).needs_weights:
            raise UsageError(f"weights are given for {name!r}, which is not run or needs none")
        if not file.is_file():
            raise NothingFound(f"{file}: no such file of weights for {name!r}; check the name")
    for name, numbers in own.items():
        if name in names:
            raise UsageError(f"a method of your own is called {name!r}, as another: rename it")
        if len(numbers) != len(rated.rows):
            raise UsageError(f"{name} has {len(numbers)} values for {len(rated.rows)} rows")


def _names(rated: RatedSet) -> list[str]:
    """Every image's path below the folder that all of them are in."""
    places = [Path(os.path.abspath(row.image)) for row in rated.rows]
    top = os.path.commonpath([place.parent for place in places]) if places else "."
    return [place.relative_to(top).as_posix() for place in places]


def _mark_of(row: RatedImage, policy: str | float) -> str:
    try:
        return mark(__version__, str(policy), row.image, row.reference)
    except OSError:
        return ""  # reading it will fail in turn, and say why


def _rated(rated: RatedSet) -> Rated:
    rows = rated.rows
    references = {path: path.name for path in rated.references}
    if len(set(references.values())) < len(references):
        references = {path: path.as_posix() for path in references}
    return Rated(
        images=tuple(_names(rated)),
        references=tuple(references[row.reference] for row in rows),
        opinions=tuple(row.mos for row in rows),
        deviation=tuple(row.deviation for row in rows),
        n_raters=tuple(row.n_raters for row in rows),
        artifacts=tuple(row.tags.get("artifact") for row in rows),
    )


def _in_words(policy: str | float) -> str:
    if policy == OF_TYPE:
        return "of the file's type for pictures of integers, else the reference's largest value"
    if policy == OF_REFERENCE:
        return "the reference's largest value"
    return f"{policy:g}"


def _ignore(image: Path, error: str | None) -> None:
    """Nobody watches."""
