"""``EnhancementReport``: what is said about an enhanced scan, in plain values.

Nothing here imports torch, so that pages and documents start fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from isocenter.data.scores import Plane, QualityReport, ScanFacts
from isocenter.data.step import JSON

__all__ = [
    "CheckReport",
    "ColourScale",
    "EnhancementReport",
    "Flag",
    "Measure",
    "Picture",
    "PictureRow",
]


@dataclass(frozen=True)
class ColourScale:
    """What the colours of a picture stand for."""

    strip: bytes
    """A PNG, one pixel high, from the lowest value to the highest."""
    low: str
    high: str


@dataclass(frozen=True)
class Picture:
    """One picture of a row, or why there is none."""

    title: str
    png: bytes | None
    why_missing: str | None = None
    """Set exactly when ``png`` is ``None``."""
    scale: ColourScale | None = None


@dataclass(frozen=True)
class PictureRow:
    """The same place in several images."""

    title: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Flag:
    """A region that a reader has to look at."""

    kind: Literal["changed", "inconsistent"]
    """``changed`` more than the uncertainty allows, or ``inconsistent`` with the thick slices."""
    n_voxels: int
    centre: tuple[float, float, float]
    """World position in mm, RAS+."""
    slice: int
    """Across slices, from 0, in RAS+: of the thin slices if changed, else of the thick ones."""
    peak: float


@dataclass(frozen=True)
class Measure:
    """One number of the checks, or the reason why there is none."""

    name: str
    value: float | None
    meaning: str
    """What it is and what to expect, in a sentence."""
    why_missing: str | None = None
    """Set exactly when ``value`` is ``None``."""


@dataclass(frozen=True)
class CheckReport:
    """What may be believed of an enhanced scan."""

    measures: tuple[Measure, ...]
    flags: tuple[Flag, ...]
    in_prior: bool | None
    """Whether the scan's signal over noise is like that of the scans learned from."""
    warnings: tuple[str, ...]
    """A sentence for each thing that a reader has to know."""
    missing: Mapping[str, str]
    """Why a value is not there, by its name."""
    assumed: Mapping[str, JSON]
    """The slices' profile, how the noise was found, and the like."""

    def measure(self, name: str) -> Measure:
        """By its name."""
        return next(one for one in self.measures if one.name == name)


@dataclass(frozen=True)
class EnhancementReport:
    """One scan by one method."""

    subject: str
    scan: ScanFacts
    method: str
    options: Mapping[str, JSON]
    ratio: int
    """Thin slices for a thick one."""
    plane: Plane
    """In which the slices lie."""
    thickness: float | None
    """Of a thick slice, mm, as the checks assume."""
    shape: tuple[int, int, int]
    """Of the enhanced scan, right, front, up."""
    spacing: tuple[float, float, float]
    """mm."""
    facts: Mapping[str, JSON]
    """What the method says of itself: members, tile, weights, scale, level of the interval."""
    checks: CheckReport
    rows: tuple[PictureRow, ...]
    quality: tuple[QualityReport, QualityReport] | None
    """Of the scan and of the enhanced one, where that was asked for."""
    seed: int
    device: str
    seconds: float
    """Enhancing and checking, without reading and writing."""
    peak_rss: int
    """Largest resident memory of the process so far, bytes."""
    versions: Mapping[str, str]
    """Of Isocenter and what it computes with."""
    has_deviation: bool
    notes: tuple[str, ...]
