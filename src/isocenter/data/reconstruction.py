"""``ReconstructionReport``: what is said about a reconstruction, in plain values.

Nothing here imports torch, so that pages and documents start fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isocenter.data.scores import Score
from isocenter.data.step import JSON, Step

__all__ = ["Panel", "ReconstructedSlice", "ReconstructionReport", "Row"]


@dataclass(frozen=True)
class Panel:
    """One picture of a row."""

    title: str
    png: bytes


@dataclass(frozen=True)
class Row:
    """Pictures of one slice, side by side."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class ReconstructedSlice:
    """What is known of one slice."""

    index: int
    seconds: float
    residual: float | None
    """Norm of what the image would have measured less what was measured, over the latter's."""
    facts: Mapping[str, JSON]


@dataclass(frozen=True)
class ReconstructionReport:
    """One file by one method."""

    subject: str
    sha256: str
    """Of the file of k-space."""
    method: str
    options: Mapping[str, JSON]
    history: tuple[Step, ...]
    """Of the k-space: where it was read, what was done to it."""
    n_coils: int
    grid: tuple[int, int]
    """Rows and columns of k-space."""
    true_acceleration: float
    acs: tuple[int, int]
    mask_origin: str
    """Where the mask came from, in words."""
    slices: tuple[ReconstructedSlice, ...]
    scores: tuple[Score, ...]
    """Against a reference; none where there is none."""
    reference: str | None
    """What the scores compare with, in words."""
    definitions: Mapping[str, str]
    """What the names of the scores mean."""
    rows: tuple[Row, ...]
    seed: int
    device: str
    seconds: float
    """Of all slices, without reading and writing."""
    isocenter: str
    model_sha256: str | None
    """Of the network's weights, where the method has one."""
    has_uncertainty: bool
    notes: tuple[str, ...]

    @property
    def evaluations(self) -> int:
        """Evaluations of a network for a slice: the most of any."""
        said = [one.facts.get("evaluations", 0) for one in self.slices]
        return max(int(number) for number in said if isinstance(number, int | float))

    @property
    def residual(self) -> float | None:
        """Median over slices; ``None`` where the method has no coil maps."""
        known = sorted(one.residual for one in self.slices if one.residual is not None)
        return known[len(known) // 2] if known else None
