"""``Outcomes``: what a method says of some items, beside the truth; one table, one file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from isocenter.data.atomic import write_text
from isocenter.errors import InputError

__all__ = ["Outcomes"]

FIRST = ("person", "item", "truth")


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Rows of answers."""

    kind: Literal["classes", "values"]
    """``classes``: the truth is an index, outputs are probabilities.  ``values``: the truth is a
    number, and the first output estimates it."""
    people: tuple[str, ...]
    """Of each row."""
    items: tuple[str, ...]
    """What each row is about: scan, artifact, level."""
    truth: npt.NDArray[np.float64]
    """(rows,)."""
    outputs: npt.NDArray[np.float64]
    """(rows, columns)."""
    columns: tuple[str, ...]
    """Name of each output: the classes in order, or ``("estimate", ...)``."""

    def save(self, path: Path) -> None:
        """Write as a tab-separated table."""
        head = "\t".join([*FIRST, *(f"{self.kind}:{name}" for name in self.columns)])
        rows = zip(self.people, self.items, self.truth, self.outputs, strict=True)
        lines = [
            "\t".join([person, item, repr(float(truth)), *(repr(float(v)) for v in values)])
            for person, item, truth, values in rows
        ]
        write_text(path, "\n".join([head, *lines]) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Inverse of :meth:`save`.

        Raises:
            InputError: Not such a table.
        """
        head, *lines = [line.split("\t") for line in path.read_text().splitlines()]
        kinds = {name.split(":", 1)[0] for name in head[len(FIRST) :]}
        if tuple(head[: len(FIRST)]) != FIRST or kinds not in ({"classes"}, {"values"}):
            raise InputError(f"{path} is no table of outcomes; run `isocenter evaluate` again")
        return cls(
            kind="classes" if kinds == {"classes"} else "values",
            people=tuple(line[0] for line in lines),
            items=tuple(line[1] for line in lines),
            truth=np.array([float(line[2]) for line in lines]),
            outputs=np.array([[float(v) for v in line[3:]] for line in lines]),
            columns=tuple(name.split(":", 1)[1] for name in head[len(FIRST) :]),
        )
