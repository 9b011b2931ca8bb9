"""Many measures against the opinions of the same images: all that a comparison tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from isocenter.errors import InputError, UsageError
from isocenter.statistics._inputs import Array, Matrix
from isocenter.statistics.agreement import Agreement, PerGroup, measure_agreement, per_group
from isocenter.statistics.bootstrap import draws_by_person
from isocenter.statistics.comparison import Pairwise
from isocenter.statistics.correlation import oriented, srocc, srocc_interval, srocc_of_all
from isocenter.statistics.krasula import PairAnalysis, krasula_analysis
from isocenter.statistics.letters import compact_letters, equals_of_best
from isocenter.statistics.significance import pairs_by_f_test, pairs_by_jackknife

__all__ = [
    "Column",
    "Compared",
    "Measured",
    "Missing",
    "PairFigures",
    "Rated",
    "compare_values",
]

LEVEL = 0.05
"""False discovery rate at which two methods are said to differ."""
LEAST_IMAGES = 5
FEW_REFERENCES = 6
"""With fewer, leaving one out says little, and groups are large."""


@dataclass(frozen=True)
class Rated:
    """Images and what people thought of them; one entry an image in every field."""

    images: tuple[str, ...]
    references: tuple[str, ...]
    opinions: tuple[float, ...]
    """Mean opinion scores, higher being better."""
    deviation: tuple[float | None, ...]
    """Standard deviation of the ratings."""
    n_raters: tuple[int | None, ...]
    artifacts: tuple[str | None, ...]

    @property
    def n_references(self) -> int:
        """How many different references there are."""
        return len(set(self.references))

    def subset(self, kept: Sequence[int]) -> Rated:
        """The images at these places."""
        fields = (
            self.images,
            self.references,
            self.opinions,
            self.deviation,
            self.n_raters,
            self.artifacts,
        )
        return Rated(*(tuple(field[i] for i in kept) for field in fields))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Column:
    """What one method says of every image."""

    name: str
    better: Literal["higher", "lower"]
    values: tuple[float, ...]
    kind: str = "own"
    """``"full reference"``, ``"no reference"``, ``"baseline"`` or ``"own"``."""
    seconds: float | None = None
    """Median time of one image; None where it was not measured."""

    @property
    def oriented(self) -> Array:
        """The values, turned so that higher is better."""
        return oriented(np.asarray(self.values, np.float64), self.better)


@dataclass(frozen=True)
class Missing:
    """A method, or an image, that takes no part, and why."""

    name: str
    why: str
    code: int = 0
    """Exit code that this alone would give."""


@dataclass(frozen=True)
class PairFigures:
    """How a method tells pairs of images apart: Krasula's three figures, 0 to 1."""

    different_similar: float
    better_worse: float
    correct: float


@dataclass(frozen=True)
class Measured:
    """One method's figures."""

    column: Column
    agreement: Agreement
    interval: tuple[float, float]
    """Of the SROCC, 95 %, images taken as independent (Bonett and Wright)."""
    interval_by_reference: tuple[float, float]
    """Of the SROCC, 95 %, references drawn again; NaN where there is one alone."""
    within: PerGroup
    """SROCC within every reference, and their mean."""
    by_artifact: PerGroup
    """SROCC within every artifact."""
    pairs: PairFigures | None
    letters: tuple[str, ...]
    """Methods that share a letter are not told apart."""


@dataclass(frozen=True, eq=False)
class Compared:
    """A comparison of methods."""

    rated: Rated
    methods: tuple[Measured, ...]
    """Best first, by SROCC."""
    missing: tuple[Missing, ...]
    """Methods that take no part."""
    groups: tuple[tuple[str, ...], ...]
    """Methods of every letter: none is told apart from another of its group."""
    tests: Pairwise
    """Of all pairs, by jackknife over references; in the order of ``methods``."""
    f_tests: Pairwise
    """Of all pairs, by the F-test of residual variances."""
    why_no_pairs: str | None
    """Why there are no :class:`PairFigures`; None where there are."""
    notes: tuple[str, ...]
    """What a reader must know."""
    failed: tuple[Missing, ...] = ()
    """Images that take no part."""
    data_range: str | None = None
    """How the range of values was chosen, in words; None where the values were given."""

    @property
    def best(self) -> tuple[str, ...]:
        """The method of highest SROCC and those not told apart from it."""
        values = [method.agreement.srocc for method in self.methods]
        return equals_of_best(self.tests.names, values, self.tests.differs(LEVEL))


def compare_values(
    rated: Rated,
    columns: Sequence[Column],
    *,
    rng: np.random.Generator,
    missing: Sequence[Missing] = (),
    notes: Sequence[str] = (),
    n_draws: int = 1000,
) -> Compared:
    """Every figure of every method, and which methods cannot be told apart.

    Methods are compared on the same images, so one without a finite value on any of them, or
    with the same value on all, goes to ``missing``.  Two methods differ where
    :func:`~isocenter.statistics.pairs_by_jackknife` says so after Benjamini and Hochberg's
    correction over all pairs, at a false discovery rate of 0.05.

    Args:
        rated: The images.
        columns: One a method, its values in the order of the images.
        rng: Draws references for the intervals.
        missing: Methods that are known to be missing.
        notes: What is to be said besides.
        n_draws: Number of draws.

    Raises:
        UsageError: A column of another length, or two of one name.
        InputError: Fewer than 5 images, equal opinions, or no method left.
    """
    _check(rated, columns)
    gone = [Missing(c.name, why) for c in columns if (why := _why_unusable(c, rated))]
    ranked = _best_first([c for c in columns if c.name not in {one.name for one in gone}], rated)
    missing = (*missing, *gone)
    if not ranked:
        reason = f"{missing[0].name}: {missing[0].why}" if missing else "none was given"
        raise InputError(f"no method is left to compare; {reason}")
    names, opinions = [column.name for column in ranked], np.asarray(rated.opinions)
    table = np.stack([column.oriented for column in ranked])
    agreements = [_agreement(column, rated) for column in ranked]
    residuals = [one.fit(row) - opinions for one, row in zip(agreements, table, strict=True)]
    tests = pairs_by_jackknife(names, table, opinions, rated.references)
    display = compact_letters(names, [one.srocc for one in agreements], tests.differs(LEVEL))
    intervals = _by_reference(table, opinions, rated.references, rng, n_draws)
    pairs, why_no_pairs = _pairs(names, table, rated)
    methods = [
        Measured(
            column=column,
            agreement=agreements[i],
            interval=srocc_interval(agreements[i].srocc, agreements[i].n),
            interval_by_reference=intervals[i],
            within=_within(rated.references, table[i], opinions),
            by_artifact=_within(rated.artifacts, table[i], opinions),
            pairs=pairs[i] if pairs else None,
            letters=display.letters[column.name],
        )
        for i, column in enumerate(ranked)
    ]
    return Compared(
        rated=rated,
        methods=tuple(methods),
        missing=missing,
        groups=display.groups,
        tests=tests,
        f_tests=pairs_by_f_test(names, residuals),
        why_no_pairs=why_no_pairs,
        notes=(*notes, *_notes(rated)),
    )


def _check(rated: Rated, columns: Sequence[Column]) -> None:
    n, names = len(rated.images), [column.name for column in columns]
    wrong = next((column for column in columns if len(column.values) != n), None)
    if wrong is not None:
        raise UsageError(f"{wrong.name} has {len(wrong.values)} values for {n} images")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"two methods are called {twice!r}; give each a name of its own")
    if n < LEAST_IMAGES:
        raise InputError(f"{n} rated images are left: a comparison needs {LEAST_IMAGES} or more")
    if len(set(rated.opinions)) == 1:
        raise InputError("all images have the same opinion; there is nothing to compare with")


def _why_unusable(column: Column, rated: Rated) -> str | None:
    values = np.asarray(column.values, np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        first = rated.images[bad[0]]
        return f"no finite value on {bad.size} of {values.size} images, such as {first}"
    return "the same value on every image" if np.ptp(values) == 0 else None


def _best_first(columns: Sequence[Column], rated: Rated) -> list[Column]:
    """By SROCC; those that are equal by name."""
    opinions = np.asarray(rated.opinions)
    return sorted(columns, key=lambda c: (-round(srocc(c.oriented, opinions), 12), c.name))


def _agreement(column: Column, rated: Rated) -> Agreement:
    known = _spread(rated)
    return measure_agreement(
        np.asarray(column.values),
        np.asarray(rated.opinions),
        better=column.better,
        deviation=None if known is None else known[0],
        n_raters=None if known is None else known[1],
    )


def _spread(rated: Rated) -> tuple[Array, Array] | None:
    """Deviation and number of raters of every image, or None where one has none."""
    if None in rated.deviation or None in rated.n_raters:
        return None
    return np.asarray(rated.deviation, np.float64), np.asarray(rated.n_raters, np.float64)


def _within(groups: Sequence[str | None], scores: Array, opinions: Array) -> PerGroup:
    """SROCC in every group; images without one are left out."""
    known = [i for i, group in enumerate(groups) if group]
    x, y = scores[known], opinions[known]
    return per_group([groups[i] or "" for i in known], lambda rows: srocc(x[rows], y[rows]))


def _by_reference(
    table: Matrix,
    opinions: Array,
    references: Sequence[str],
    rng: np.random.Generator,
    n_draws: int,
) -> list[tuple[float, float]]:
    """95 % of the SROCC of every row when references are drawn again."""
    if len(set(references)) < 2:
        return [(float("nan"), float("nan"))] * len(table)
    drawn = np.array(
        [
            srocc_of_all(table[:, rows], opinions[rows])
            for rows in draws_by_person(references, rng=rng, n_draws=n_draws)
        ]
    )
    ends = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    return [(float(low), float(high)) for low, high in ends.T]


def _pairs(
    names: Sequence[str], table: Matrix, rated: Rated
) -> tuple[list[PairFigures] | None, str | None]:
    """Krasula's figures of every method, or the reason why there are none."""
    known = _spread(rated)
    if known is None:
        return None, "needs the deviation and the number of raters of every image"
    try:
        found: PairAnalysis = krasula_analysis(
            names, table, np.asarray(rated.opinions), deviation=known[0], n_raters=known[1]
        )
    except InputError as error:
        return None, str(error)
    areas = zip(found.different_similar, found.better_worse, found.correct, strict=True)
    return [PairFigures(*map(float, row)) for row in areas], None


def _notes(rated: Rated) -> list[str]:
    n = rated.n_references
    if n == 1:
        return ["One reference alone: methods cannot be told apart, so all share one group."]
    if n < FEW_REFERENCES:
        return [
            f"Only {n} references: few differences can be shown, so groups are large and say "
            "little."
        ]
    return []
