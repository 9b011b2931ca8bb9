"""Small drawings for the page, as lists of numbers that the template puts into SVG."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from isocenter.data.scores import Finding, Strip
from isocenter.reports.series import Series

__all__ = ["Bar", "Gap", "grade", "strip_bars", "strip_gaps", "ticks", "volumes"]

HEIGHT = 48.0
"""Height of a strip in its own units; one slice is one unit wide."""
SMALLEST = 1.5
"""A slice without any damage still shows as a thin line."""


@dataclass(frozen=True)
class Bar:
    """One slice or volume."""

    index: int
    height: float
    top: float
    grade: int
    """0 (none) to 4 (severe): chooses the colour."""
    label: str


@dataclass(frozen=True)
class Gap:
    """Neighbouring slices without a value."""

    first: int
    width: int


def grade(severity: float) -> int:
    """Colour class of a severity from 0 to 1.

    >>> [grade(s) for s in (0.0, 0.1, 0.3, 0.6, 1.0)]
    [0, 0, 1, 2, 4]
    """
    return min(int(severity * 4 + 0.1), 4)


def strip_bars(strip: Strip) -> list[Bar]:
    """A bar for each slice that has a value."""
    bars = []
    for index, value in enumerate(strip.severity):
        if value is not None:
            shown = min(max(value, 0.0), 1.0)
            label = f"{strip.plane} slice {index}: severity {shown:.2f}"
            bars.append(_bar(index, shown, grade(shown), label))
    return bars


def strip_gaps(strip: Strip) -> list[Gap]:
    """The stretches of slices that show no head."""
    gaps = []
    for missing, run in groupby(enumerate(strip.severity), key=lambda pair: pair[1] is None):
        indices = [index for index, _ in run]
        if missing:
            gaps.append(Gap(indices[0], len(indices)))
    return gaps


def volumes(series: Series) -> list[Bar]:
    """A bar for each volume of a 4-D file: its quality; the lowest one stands out."""
    bars = []
    for result in series.volumes:
        value = result.quality.value
        if value is not None:
            label = f"volume {result.index}: quality {value:.0f}"
            bars.append(_bar(result.index, value / 100, 4 if result == series.lowest else 0, label))
    return bars


def ticks(n_slices: int) -> list[int]:
    """About six round slice numbers, from 0.

    >>> ticks(176)
    [0, 40, 80, 120, 160]
    """
    steps = (1, 2, 5, 10, 20, 40, 50, 100, 200, 500, 1000)
    step = next((step for step in steps if n_slices <= 6 * step), n_slices)
    return list(range(0, n_slices, max(step, 1)))


def share(finding: Finding) -> float:
    """Width of a probability bar, 0 to 100."""
    return min(max(finding.probability, 0.0), 1.0) * 100


def _bar(index: int, share_of_height: float, colour: int, label: str) -> Bar:
    height = max(share_of_height * HEIGHT, SMALLEST)
    return Bar(index, round(height, 2), round(HEIGHT - height, 2), colour, label)
