"""The signal-to-noise ratio of the tissues: segmented blindly, measured, and not learned.

``snr_total`` as MRIQC defines it, https://mriqc.readthedocs.io/en/latest/iqms/t1w.html.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy.typing as npt

from isocenter.data.volume import Volume
from isocenter.errors import BadVolume, UsageError
from isocenter.measures import Definition, find_anatomy
from isocenter.measures.snr import snr
from isocenter.training.baselines._features import FeatureTable
from isocenter.training.baselines._protocol import Answers, Method, Row

__all__ = ["TissueSNR", "method"]

NAME = "snr_total"


def method(*, path: Path | None = None, definition: Definition = "corrected") -> Method:
    """The ratio itself, without unit: comparable by rank, or with a truth that is one.

    Args:
        path: Table in which the ratios are kept by the scan's hash, one for each definition.
        definition: Whose formula.
    """
    table = FeatureTable((f"{definition}:{NAME}",), partial(_measure, definition), path=path)
    return TissueSNR(table)


@dataclass(frozen=True, eq=False)
class TissueSNR:
    """Method and fitted method in one: there is nothing to learn."""

    table: FeatureTable = field(repr=False)

    def fit(
        self, rows: Sequence[Row], truth: npt.ArrayLike, *, n_classes: int | None = None
    ) -> "TissueSNR":
        """The same; rows and truth are not looked at.

        Raises:
            UsageError: Classes were asked for.
        """
        if n_classes is not None:
            raise UsageError(
                f"tissue_snr estimates a number and tells no {n_classes} classes apart; "
                "leave it out of this table"
            )
        return self

    def predict(self, rows: Sequence[Row]) -> Answers:
        """The ratio of every scan, or why its tissues could not be measured."""
        return Answers(*self.table.of(rows))


def _measure(definition: Definition, scan: Volume) -> list[float]:
    scores = {score.name: score for score in snr(find_anatomy(scan), definition=definition)}
    total = scores[NAME]
    if total.value is None:
        raise BadVolume(total.why_missing or "its ratio has no value")
    return [total.value]
