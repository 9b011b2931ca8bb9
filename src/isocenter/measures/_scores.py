"""How a measure becomes a score, or the reason why there is none."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from isocenter.data.scores import Score

__all__ = ["Definition", "Kind", "Unmeasurable", "ratio", "scores"]

Definition = Literal["mriqc-24", "mriqc-0.15", "corrected"]
"""Whose formulas: those of MRIQC 24.0's code, those of MRIQC 0.15's code (which gave the public
ABIDE and ds030 tables), or those of the sources that MRIQC names."""


class Unmeasurable(Exception):
    """Why a measure has no value; becomes ``Score.why_missing`` and never leaves this room."""


@dataclass(frozen=True)
class Kind:
    """What is known of a score before it is measured."""

    unit: str | None = None
    better: Literal["higher", "lower"] | None = None
    low: float = -math.inf
    high: float = math.inf


def scores(
    kinds: Mapping[str, Kind], measures: Mapping[str, Callable[[], float]]
) -> tuple[Score, ...]:
    """One score for each of ``measures``, in their order."""
    return tuple(_score(name, kinds[name], find) for name, find in measures.items())


def ratio(upper: float, lower: float, *, lower_is: str) -> float:
    """``upper / lower``.

    Raises:
        Unmeasurable: ``lower`` is zero; the message names it by ``lower_is``.
    """
    if lower == 0:
        raise Unmeasurable(f"{lower_is} is zero")
    return upper / lower


def _score(name: str, kind: Kind, find: Callable[[], float]) -> Score:
    value, why = None, None
    try:
        value = float(find())
    except Unmeasurable as reason:
        why = str(reason)
    if value is not None and not math.isfinite(value):
        value, why = None, "its formula has no finite value on this scan"
    return Score(name, value, kind.unit, kind.better, kind.low, kind.high, None, why)
