"""The same answer for every scan: what a method must beat to have learned anything."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError
from isocenter.training.baselines._learned import Learned
from isocenter.training.baselines._protocol import Answers, Array, Method, Row

__all__ = ["Constant", "learner", "method"]


def method() -> Method:
    """The mean of the truth, or the share of every class."""
    return Constant()


def learner(values: Array, truth: Array, n_classes: int | None) -> Learned:
    """The same on rows of features, none of which it looks at."""
    answer = _common(truth, n_classes)
    return lambda new: np.tile(answer, (len(new), 1))


@dataclass(frozen=True)
class Constant:
    """Looks at no scan."""

    def fit(
        self, rows: Sequence[Row], truth: npt.ArrayLike, *, n_classes: int | None = None
    ) -> "FittedConstant":
        """See :class:`isocenter.training.baselines.Method`."""
        if not len(rows):
            raise UsageError("there are no rows to take the mean of; give one or more")
        return FittedConstant(_common(np.asarray(truth, dtype=np.float64), n_classes))


@dataclass(frozen=True, eq=False)
class FittedConstant:
    """One answer."""

    answer: Array
    """(columns,)."""

    def predict(self, rows: Sequence[Row]) -> Answers:
        """See :class:`isocenter.training.baselines.Fitted`."""
        return Answers(np.tile(self.answer, (len(rows), 1)), (None,) * len(rows))


def _common(truth: Array, n_classes: int | None) -> Array:
    if n_classes is None:
        return np.array([truth.mean()])
    return np.bincount(truth.astype(int), minlength=n_classes) / len(truth)
