"""``Acquired``: what a reader of k-space hands over, before it becomes a ``KSpace``.

Readers work in numpy alone, so that a damaged file is refused before torch is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.data.io._raw import readable
from isocenter.data.step import JSON
from isocenter.errors import BadKSpace, NeedsChoice, UsageError

__all__ = ["Acquired", "Request", "as_complex"]

Complex64 = npt.NDArray[np.complex64]


@dataclass(frozen=True)
class Request:
    """What of a file is wanted, and what may be spent on it."""

    slices: slice | None = None
    """Which slices, as one run; ``None`` reads all."""
    volume: int | None = None
    """Which repetition, echo or phase, counted in the file's order, where there are several."""
    axes: str | None = None
    """What the axes of a plain array are: letters of ``scyxa`` (slice, coil, y, x, average)."""
    max_bytes: int = 4 << 30
    """Largest k-space, as complex64, that is read; larger ones are refused before reading."""

    def run(self, n_slices: int) -> tuple[int, int]:
        """First slice and the one behind the last.

        Raises:
            UsageError: A step other than 1.
            BadKSpace: No slice is left.
        """
        first, behind, step = (self.slices or slice(None)).indices(n_slices)
        if step != 1:
            raise UsageError("slices are read as one run: give a first and a last without a step")
        if first >= behind:
            raise BadKSpace(f"no such slices: the file has {n_slices}, counted from 0")
        return first, behind

    def demand(self, *shape: int) -> None:
        """Refuse what is above the budget, before anything is allocated.

        Raises:
            BadKSpace: It is.
        """
        n_bytes = 8 * prod(shape)
        if n_bytes > self.max_bytes:
            size = " x ".join(map(str, shape))
            raise BadKSpace(
                f"k-space of {size} takes {readable(n_bytes)}, the budget is "
                f"{readable(self.max_bytes)}: choose fewer slices or raise max_bytes"
            )

    def choose(self, n_volumes: int, what: str) -> int:
        """Index of the wanted repetition, echo or phase.

        Raises:
            NeedsChoice: There are several and none was chosen, or not that many.
        """
        if self.volume is None and n_volumes > 1:
            raise NeedsChoice(
                f"{n_volumes} volumes ({what}) in one file: choose one with --volume 0 to "
                f"{n_volumes - 1}"
            )
        if self.volume is not None and not 0 <= self.volume < n_volumes:
            raise NeedsChoice(f"no volume {self.volume}: choose 0 to {n_volumes - 1} with --volume")
        return self.volume or 0


@dataclass(frozen=True)
class Acquired:
    """K-space of the wanted slices as the file holds it, and what the file says of it."""

    data: Complex64
    """(slice, coil, y, x), centred."""
    n_slices: int
    """How many slices the whole file has."""
    first: int
    """Which of them ``data`` begins with."""
    format: str
    affine: npt.NDArray[np.float64]
    """Index (slice, y, x) of the whole file's image to world, mm, RAS+."""
    places: npt.NDArray[np.bool_] | None = None
    """(slice or 1, y, x): what the headers of the lines say was measured; ``None`` where only
    the zeros of the data tell."""
    columns: npt.NDArray[np.bool_] | None = None
    """(x,): columns that the header counts as acquired; zeros were filled in elsewhere."""
    mask: npt.NDArray[np.generic] | None = None
    """The mask that the file itself gives, of whatever size it has."""
    maps: Complex64 | None = None
    """(slice, set, coil, y, x)"""
    noise: Complex64 | None = None
    """(coil, sample)"""
    image_shape: tuple[int, int] | None = None
    contrast: str | None = None
    facts: Mapping[str, JSON] = field(default_factory=dict)
    """What else the file says: plain values, free of patient data."""
    warnings: tuple[str, ...] = ()


def as_complex(raw: Any) -> Complex64:
    """Values of any complex type as complex64.

    Raises:
        BadKSpace: They are real.
    """
    values = np.asarray(raw)
    names = values.dtype.names
    if names is not None and len(names) == 2 and all(values.dtype[n].kind == "f" for n in names):
        values = values[names[0]] + 1j * values[names[1]]
    if values.dtype.kind != "c":
        raise BadKSpace(
            f"k-space is complex; these values are {values.dtype}: is this an image or one half?"
        )
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and infinite is refused
        return np.ascontiguousarray(values, dtype=np.complex64)
