"""A table of features and something that learns from it."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import MissingExtra, UsageError
from isocenter.training.baselines._features import FeatureTable
from isocenter.training.baselines._protocol import Answers, Array, Row

__all__ = [
    "Learned",
    "Learner",
    "LearnsFromFeatures",
    "extra_trees",
    "forest",
    "scikit_learn",
    "spread",
]

Learned = Callable[[Array], Array]
"""(rows, features) -> (rows, columns)."""
Learner = Callable[[Array, Array, int | None], Learned]
"""Features, truth and number of classes, as :meth:`Method.fit` takes them."""
N_TREES = 300
SMALLEST_LEAF = 2
"""Rows, of a random forest."""
SHARE_TRIED = 0.3
"""Of the features, at each split of an extremely randomised tree."""


@dataclass(frozen=True, eq=False)
class LearnsFromFeatures:
    """A method: features of every scan, and a learner on them."""

    table: FeatureTable
    learner: Learner
    needs_all: bool
    """Whether a row with one feature missing is out; trees go on without it."""

    def fit(
        self, rows: Sequence[Row], truth: npt.ArrayLike, *, n_classes: int | None = None
    ) -> "FittedToFeatures":
        """See :class:`isocenter.training.baselines.Method`."""
        values, why = self.usable(rows)
        keep = np.array([reason is None for reason in why], dtype=bool)
        if not keep.any():
            reason = next((reason for reason in why if reason), "there are no rows")
            raise UsageError(f"no row has what this method learns from: {reason}")
        target = np.asarray(truth, dtype=np.float64)[keep]
        return FittedToFeatures(self, self.learner(values[keep], target, n_classes), n_classes or 1)

    def usable(self, rows: Sequence[Row]) -> tuple[Array, tuple[str | None, ...]]:
        """Features, and why a row cannot be used."""
        values, why = self.table.of(rows)
        if self.needs_all:
            why = tuple(
                reason or self._first_missing(line)
                for reason, line in zip(why, values, strict=True)
            )
        return values, why

    def _first_missing(self, line: Array) -> str | None:
        missing = np.flatnonzero(np.isnan(line))
        return f"{self.table.names[missing[0]]} has no value" if len(missing) else None


@dataclass(frozen=True, eq=False)
class FittedToFeatures:
    """What was learned, and the features that it needs."""

    method: LearnsFromFeatures
    learned: Learned
    n_columns: int

    def predict(self, rows: Sequence[Row]) -> Answers:
        """See :class:`isocenter.training.baselines.Fitted`."""
        values, why = self.method.usable(rows)
        keep = np.array([reason is None for reason in why], dtype=bool)
        outputs = np.full((len(rows), self.n_columns), np.nan)
        if keep.any():
            outputs[keep] = self.learned(values[keep])
        return Answers(outputs, why)


def forest(seed: int) -> Learner:
    """A random forest; a missing feature goes the way that suited the known rows best.

    Breiman, Machine Learning 45, 2001, doi:10.1023/A:1010933404324.
    """
    settings = {"min_samples_leaf": SMALLEST_LEAF, "random_state": seed}
    return partial(_grown, "RandomForest", settings)


def extra_trees(seed: int) -> Learner:
    """Extremely randomised trees, for many features of which few matter.

    Geurts et al., Machine Learning 63, 2006, doi:10.1007/s10994-006-6226-1.
    """
    settings = {"max_features": SHARE_TRIED, "random_state": seed}
    return partial(_grown, "ExtraTrees", settings)


def _grown(
    kind: str, settings: dict[str, Any], values: Array, truth: Array, n_classes: int | None
) -> Learned:
    # A feature that no row has would be a column without a split.
    known = ~np.isnan(values).all(0)
    task = "Regressor" if n_classes is None else "Classifier"
    trees = getattr(scikit_learn("ensemble"), f"{kind}{task}")(n_estimators=N_TREES, **settings)
    trees.fit(values[:, known], truth if n_classes is None else truth.astype(int))
    if n_classes is None:
        return lambda new: np.asarray(trees.predict(new[:, known]))[:, None]
    return lambda new: spread(trees.predict_proba(new[:, known]), trees.classes_, n_classes)


def spread(probabilities: Array, classes: npt.NDArray[np.int64], n_classes: int) -> Array:
    """Columns of all classes from those that were seen; what was never seen has probability 0."""
    out = np.zeros((len(probabilities), n_classes))
    out[:, classes] = probabilities
    return out


def scikit_learn(module: str) -> Any:
    """A module of scikit-learn.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        return importlib.import_module(f"sklearn.{module}")
    except ImportError as error:
        raise MissingExtra(
            "this method learns with scikit-learn, which is not installed; pip install scikit-learn"
        ) from error
