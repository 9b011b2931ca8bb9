"""``Series``: the reports on every volume of a 4-D file, and the one that stands for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isocenter.data.scores import Finding, QualityReport, Score

__all__ = ["Series", "VolumeResult", "median_volume"]


@dataclass(frozen=True)
class VolumeResult:
    """What is kept of one volume: no pictures, so that a thousand volumes stay small."""

    index: int
    """Position along the fourth axis, from 0."""
    quality: Score
    artifacts: tuple[Finding, ...]


@dataclass(frozen=True)
class Series:
    """A 4-D file: its volumes, and which of them the report describes."""

    described: int
    """Index of the volume of median quality: scores, findings and pictures are its own."""
    volumes: tuple[VolumeResult, ...]

    @property
    def lowest(self) -> VolumeResult | None:
        """The volume of lowest quality; ``None`` when no volume has a score."""
        scored = [volume for volume in self.volumes if volume.quality.value is not None]
        return min(scored, key=lambda volume: volume.quality.value or 0.0, default=None)

    @property
    def n_scored(self) -> int:
        """How many volumes have a score."""
        return sum(volume.quality.value is not None for volume in self.volumes)


def median_volume(volumes: Sequence[VolumeResult]) -> int | None:
    """Index of the volume whose quality is the (lower) median; ``None`` without any score."""
    scored = [(v.quality.value, v.index) for v in volumes if v.quality.value is not None]
    return sorted(scored)[(len(scored) - 1) // 2][1] if scored else None


def volume_result(index: int, report: QualityReport) -> VolumeResult:
    """What is kept of a volume's report."""
    return VolumeResult(index, report.quality, report.artifacts)
