"""Drawings of a comparison: scatter plots with their fit, intervals, and a matrix of tests."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Cell", "Matrix", "Plot", "Tick", "matrix", "plot", "ticks", "whisker"]

LEFT, RIGHT, TOP, BOTTOM = 36.0, 232.0, 8.0, 150.0
"""Edges of a plot's field, in the drawing's own units."""
ROOM = 0.04
"""Space around the points, over their range."""
LABELS, STEP = 168.0, 15.0
"""Of the matrix: room for names, and side of a cell."""


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Plot:
    """Opinions against the values of one method."""

    name: str
    dots: tuple[tuple[int, str], ...]
    """Colour and path of the points of every artifact."""
    curve: str
    """Path of the fit."""
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


@dataclass(frozen=True)
class Cell:
    """One pair of methods."""

    x: float
    y: float
    differs: bool
    label: str


@dataclass(frozen=True)
class Matrix:
    """All pairs: above the diagonal by jackknife, below it by the F-test."""

    names: tuple[Tick, ...]
    cells: tuple[Cell, ...]
    side: float


class _Scale:
    """From numbers of the data to places in the drawing."""

    def __init__(self, values: Sequence[float], first: float, last: float) -> None:
        low, high = min(values), max(values)
        room = ROOM * (high - low) or 0.5
        self.low, self.high = low - room, high + room
        self.first, self.last = first, last

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.first + min(max(share, 0.0), 1.0) * (self.last - self.first)

    def ticks(self, most: int) -> tuple[Tick, ...]:
        round_numbers = ticks(self.low, self.high, most)
        return tuple(Tick(round(self(value), 1), label) for value, label in round_numbers)


def plot(method: dict[str, Any], images: Sequence[dict[str, Any]], artifacts: list[str]) -> Plot:
    """One scatter plot.

    Args:
        method: Of the document.
        images: Of the document.
        artifacts: Names in the order of their colours; images of no artifact come after.
    """
    opinions = [image["mos"] for image in images]
    x, y = _Scale(method["values"], LEFT, RIGHT), _Scale(opinions, BOTTOM, TOP)
    colours = [
        artifacts.index(image["artifact"]) if image["artifact"] else len(artifacts)
        for image in images
    ]
    places = list(zip(colours, method["values"], opinions, strict=True))
    # A line of no length with round ends is a dot, and a path holds many.
    dots = tuple(
        (colour, "".join(f"M{x(a):.1f} {y(b):.1f}h0" for c, a, b in places if c == colour))
        for colour in sorted(set(colours))
    )
    curve = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in method["fit"]["curve"])
    return Plot(method["name"], dots, curve, x.ticks(5), y.ticks(6))


def ticks(low: float, high: float, most: int) -> Iterator[tuple[float, str]]:
    """Round numbers within a range, at most ``most`` + 1 of them, and how they are written.

    >>> [label for _, label in ticks(0.93, 1.0, 5)]
    ['0.94', '0.96', '0.98', '1']
    """
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    form = f".{digits}f" if digits <= 6 and max(abs(low), abs(high)) < 1e6 else ".3g"
    for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1):
        label = format(i * step, form)
        yield i * step, label.rstrip("0").rstrip(".") if "." in label and digits <= 6 else label


def matrix(tests: dict[str, Any], level: float) -> Matrix:
    """The matrix of significant differences.

    Args:
        tests: Of the document.
        level: Adjusted p at which two methods differ.
    """
    names = tests["jackknife"]["methods"]
    cells = []
    for i, row in enumerate(names):
        for j, column in enumerate(names):
            if i != j:
                kind = "jackknife" if i < j else "f_test"
                p = tests[kind]["adjusted"][i][j]
                label = f"{row}, {column}: " + ("not defined" if p is None else f"p = {p:.2g}")
                place = (LABELS + j * STEP, LABELS + i * STEP)
                cells.append(Cell(*place, p is not None and p <= level, label))
    marks = tuple(Tick(LABELS + (i + 0.5) * STEP, name) for i, name in enumerate(names))
    return Matrix(marks, tuple(cells), LABELS + len(names) * STEP)


def whisker(value: float | None, interval: Sequence[float | None]) -> dict[str, float] | None:
    """Places of an interval and its value on a rail from 0 to 100; None where one is missing.

    What lies below 0 is drawn at 0.
    """
    low, high = interval
    if value is None or low is None or high is None:
        return None
    at, start, end = (100 * min(max(number, 0.0), 1.0) for number in (value, low, high))
    return {"at": round(at, 1), "start": round(start, 1), "width": round(max(end - start, 0.5), 1)}
