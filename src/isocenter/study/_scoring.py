"""The methods of a comparison on one image: every failure becomes a result."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from isocenter.datasets.rad_iqmri import RatedImage
from isocenter.errors import IsocenterError
from isocenter.statistics.compared import Missing
from isocenter.study._methods import method
from isocenter.study._pictures import read_pair
from isocenter.study._threads import one_thread

__all__ = ["Scored", "Task", "died", "score"]


@dataclass(frozen=True)
class Task:
    """One image and the methods whose values are missing."""

    place: int
    """In the table of ratings."""
    name: str
    row: RatedImage
    methods: tuple[str, ...]
    data_range: str | float
    weights: Mapping[str, Path]


@dataclass(frozen=True)
class Scored:
    """What became of a task."""

    task: Task
    values: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Value and seconds by method."""
    refused: dict[str, Missing] = field(default_factory=dict)
    """Methods that gave no value."""
    brightest: float = 0.0
    """Largest value of the reference over the range."""
    error: Missing | None = None
    """Why the image cannot be used at all."""


def score(task: Task) -> Scored:
    """Run the methods of one task; every failure becomes a result."""
    try:
        pair = read_pair(task.row.image, task.row.reference, task.data_range)
    except (IsocenterError, OSError) as error:
        return Scored(task, error=Missing(task.name, str(error), 3))
    except MemoryError:
        return Scored(task, error=Missing(task.name, "out of memory; lower the workers", 6))
    scored = Scored(task, brightest=float(pair.reference.max()) / pair.data_range)
    with one_thread():
        for name in task.methods:
            start = time.perf_counter()
            try:
                value = method(name).value(
                    pair.image,
                    pair.reference,
                    data_range=pair.data_range,
                    slice_axis=pair.slice_axis,
                    weights=task.weights.get(name),
                )
            except Exception as error:
                scored.refused[name] = _refusal(name, error)
            else:
                scored.values[name] = (value, time.perf_counter() - start)
    return scored


def _refusal(name: str, error: Exception) -> Missing:
    if isinstance(error, IsocenterError):
        return Missing(name, str(error))
    if isinstance(error, MemoryError):
        return Missing(name, "out of memory; lower the workers", 6)
    return Missing(name, f"a bug in isocenter ({type(error).__name__}: {error})", 1)


def died(task: Task) -> Scored:
    """The result of a task whose process was killed."""
    why = "its process was killed, most likely for want of memory; try fewer workers"
    return Scored(task, error=Missing(task.name, why, 6))
