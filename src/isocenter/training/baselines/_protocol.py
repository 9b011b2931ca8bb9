"""``Row``, ``Method`` and ``Answers``: what is judged, what judges, and what it says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from isocenter.data.volume import Volume
from isocenter.errors import UsageError
from isocenter.training.engine.splits import check_disjoint

__all__ = ["Answers", "Array", "Fitted", "Method", "Row", "across_folds"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Row:
    """One item: a scan, or one version of it."""

    person: str
    item: str
    """What it is: scan, artifact, level."""
    load: Callable[[], Volume]
    """Reads or makes the scan, the same at every call."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a method says of some rows."""

    outputs: Array
    """(rows, columns): one estimate, or a probability for each class; NaN in a row without."""
    why_missing: tuple[str | None, ...]
    """For each row why it has no answer; ``None`` where it has."""


class Fitted(Protocol):
    """A method that has learned."""

    def predict(self, rows: Sequence[Row]) -> Answers:
        """What it says of some rows, in their order."""


class Method(Protocol):
    """A method before it has learned; it can be fitted any number of times."""

    def fit(
        self, rows: Sequence[Row], truth: npt.ArrayLike, *, n_classes: int | None = None
    ) -> Fitted:
        """Learn.

        Args:
            rows: What is known.
            truth: (rows,) numbers to estimate, or class indices from 0.
            n_classes: How many classes there are; ``None`` for numbers.

        Raises:
            UsageError: Nothing to learn from.
            MissingExtra: The method needs a package that is not installed.
        """


def across_folds(
    method: Method,
    rows: Sequence[Row],
    truth: npt.ArrayLike,
    folds: Sequence[int],
    *,
    n_classes: int | None = None,
) -> Answers:
    """Every row judged by the method fitted to the other folds.

    Args:
        method: Fitted anew for every fold.
        rows: All rows.
        truth: (rows,), as :meth:`Method.fit` takes it.
        folds: Fold of every row; a person's rows stand in one.
        n_classes: How many classes there are; ``None`` for numbers.

    Raises:
        UsageError: A person stands in two folds, or there are fewer than two.
    """
    true, fold = np.asarray(truth), np.asarray(folds)
    if not len(rows) == len(true) == len(fold):
        raise UsageError(
            f"{len(rows)} rows have {len(true)} truths and {len(fold)} folds; give one each"
        )
    names = np.unique(fold)
    if len(names) < 2:
        raise UsageError("one fold leaves nothing to learn from; give two or more")
    _check_people(rows, fold)
    outputs = np.full((len(rows), n_classes or 1), np.nan)
    why: list[str | None] = [None] * len(rows)
    for name in names:
        out = np.flatnonzero(fold == name).tolist()
        known = np.flatnonzero(fold != name).tolist()
        fitted = method.fit([rows[i] for i in known], true[known], n_classes=n_classes)
        said = fitted.predict([rows[i] for i in out])
        outputs[out] = said.outputs
        for i, reason in zip(out, said.why_missing, strict=True):
            why[i] = reason
    return Answers(outputs, tuple(why))


def _check_people(rows: Sequence[Row], fold: npt.NDArray[np.generic]) -> None:
    people = np.array([row.person for row in rows])
    check_disjoint(
        {f"fold {name}": tuple(sorted(set(people[fold == name]))) for name in np.unique(fold)}
    )
