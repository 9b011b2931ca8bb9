"""What is said about a scan: scores, findings, pictures, and where they came from.

Nothing here imports torch, so that reports and tables start fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from isocenter.data.step import Step

__all__ = [
    "Domain",
    "Finding",
    "Opinion",
    "Percentile",
    "Plane",
    "Provenance",
    "QualityReport",
    "ScanFacts",
    "Score",
    "SliceRange",
    "Strip",
    "View",
]

Plane = Literal["sagittal", "coronal", "axial"]
"""Slices across x, y and z of a RAS+ volume, in this order."""


@dataclass(frozen=True)
class Percentile:
    """Where a value stands in a population, or why that cannot be said."""

    value: float | None
    """Share of the population below, 0 to 100, equal ones counted half; the outermost levels
    (0.5 and 99.5) stand for everything beyond them."""
    population: str | None
    n: int
    """Scans that it was compared with."""
    band: tuple[float, float] | None
    """5th and 95th percentile of the population, in the measure's unit."""
    why_missing: str | None = None
    """Set exactly when ``value`` is ``None``."""


@dataclass(frozen=True)
class Score:
    """One number about a scan, or the reason why there is none."""

    name: str
    value: float | None
    unit: str | None
    better: Literal["higher", "lower"] | None
    """``None`` for what has a normal range, or describes and does not judge."""
    low: float
    """Smallest possible value; ``-inf`` where there is none."""
    high: float
    """Largest possible value; ``inf`` where there is none."""
    interval: tuple[float, float] | None = None
    """90 % prediction interval."""
    why_missing: str | None = None
    """Set exactly when ``value`` is ``None``."""
    compared: bool = False
    """True for what was measured against a reference scan."""
    percentile: Percentile | None = None
    """``None`` for what no population is known of."""


@dataclass(frozen=True)
class SliceRange:
    """Neighbouring slices, first and last included, counted from 0 in RAS+."""

    plane: Plane
    first: int
    last: int


@dataclass(frozen=True)
class Finding:
    """One artifact that a scan shows."""

    name: str
    """Registry name of the artifact."""
    probability: float
    """Calibrated probability that the artifact is present, [0, 1]."""
    level: int
    """Most probable level given that it is present, 1 (slight) to 4 (severe)."""
    severity: float
    """Expected level over 4, [0, 1]; 0 when surely absent."""
    slices: tuple[SliceRange, ...] = ()
    """Where it is worst, worst first."""


@dataclass(frozen=True)
class Strip:
    """Severity slice by slice along one plane's normal."""

    plane: Plane
    severity: tuple[float | None, ...]
    """Expected severity of each slice, [0, 1]; ``None`` where there is no head."""


@dataclass(frozen=True)
class View:
    """One picture of a scan."""

    title: str
    png: bytes
    """A PNG file's bytes, 8-bit grey."""
    plane: Plane
    index: int
    """Slice index in RAS+."""
    worst: bool = False
    """True for a slice shown because it is among the worst."""


@dataclass(frozen=True)
class Domain:
    """Whether the scan is like those that the model knows."""

    in_domain: bool
    distance: float
    """Distance from the training data; above ``limit`` the score is not to be trusted."""
    limit: float
    reason: str | None = None
    """Why the scan is outside; ``None`` when it is inside."""


@dataclass(frozen=True)
class Opinion:
    """What one of several models says."""

    model: str
    model_sha256: str
    score: Score
    """What this model estimates: a quality, or another quantity."""
    agrees: bool | None
    """Whether it fits what the first model says; ``None`` for the first one."""
    says: str
    """One clause for a person."""


@dataclass(frozen=True)
class ScanFacts:
    """What the file said of itself."""

    name: str
    """File or folder name without its path; free of patient data."""
    sha256: str | None
    """Hash of the input's bytes (of all slices in order, for DICOM)."""
    format: str | None
    """``"NIfTI-1"``, ``"DICOM"``, ...; ``None`` for an array from memory."""
    shape: tuple[int, ...]
    """As stored, before reorientation."""
    spacing: tuple[float, ...]
    """Voxel size in mm along the stored axes."""
    dtype: str | None
    """Stored number type."""
    orientation: str | None
    """Direction of the stored axes, as in ``"LPS"``."""
    contrast: str | None
    warnings: tuple[str, ...] = ()
    """What the reader noticed and went on from."""


@dataclass(frozen=True)
class Provenance:
    """What made the report; everything but ``seconds`` and ``peak_rss`` is repeatable."""

    isocenter: str
    model: str
    model_sha256: str
    params_sha256: str
    """Hash of every choice that can change the result."""
    device: str
    seconds: float
    peak_rss: int
    """Largest resident memory of the process so far, bytes."""
    measures: str | None = None
    """By whose formulas it was measured; ``None`` when nothing was."""


@dataclass(frozen=True)
class QualityReport:
    """Everything that was found out about one scan."""

    subject: str
    """What the report is about: the scan's file name without its ending."""
    verdict: str
    """One short sentence for a person."""
    scores: tuple[Score, ...]
    """The quality first, other measures behind it."""
    artifacts: tuple[Finding, ...]
    """Every artifact that the model knows, most probable first."""
    strips: tuple[Strip, ...]
    views: tuple[View, ...]
    domain: Domain
    scan: ScanFacts
    history: tuple[Step, ...]
    provenance: Provenance
    notes: tuple[str, ...] = ()
    """Sentences that the reader of the report must see."""
    opinions: tuple[Opinion, ...] = ()
    """What each model says, where several were asked."""

    @property
    def quality(self) -> Score:
        """The score named ``quality``, 0 (unusable) to 100 (like the best training scans)."""
        return self.scores[0]

    @property
    def score(self) -> float | None:
        """Quality from 0 to 100; ``None`` with a reason in ``quality.why_missing``."""
        return self.quality.value

    @property
    def interval(self) -> tuple[float, float] | None:
        """90 % prediction interval of the quality."""
        return self.quality.interval

    @property
    def metrics(self) -> Mapping[str, Score]:
        """All scores but the quality, by name."""
        return {score.name: score for score in self.scores[1:]}

    @property
    def found(self) -> tuple[Finding, ...]:
        """The artifacts that are more probably there than not."""
        return tuple(finding for finding in self.artifacts if finding.probability >= 0.5)
