"""The same answer for every scan: what a method must beat to have learned anything."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import UsageError
from isocenter.training.baselines._protocol import Answers, Array, Method, Row

__all__ = ["Constant", "method"]


def method() -> Method:
    """The mean of the truth, or the share of every class."""
    return Constant()


@dataclass(frozen=True)
class Constant:
    """Looks at no scan."""

    def fit(
        self, rows: Sequence[Row], truth: npt.ArrayLike, *, n_classes: int | None = None
    ) -> "FittedConstant":
        """See :class:`isocenter.training.baselines.Method`."""
        if not len(rows):
            raise UsageError("there are no rows to take the mean of; give one or more")
        true = np.asarray(truth)
        if n_classes is None:
            return FittedConstant(np.array([true.mean()]))
        return FittedConstant(np.bincount(true.astype(int), minlength=n_classes) / len(true))


@dataclass(frozen=True, eq=False)
class FittedConstant:
    """One answer."""

    answer: Array
    """(columns,)."""

    def predict(self, rows: Sequence[Row]) -> Answers:
        """See :class:`isocenter.training.baselines.Fitted`."""
        return Answers(np.tile(self.answer, (len(rows), 1)), (None,) * len(rows))
