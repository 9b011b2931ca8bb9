"""What the user chose for a run of ``isocenter assess``, and the rows that come back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from isocenter.data.scores import QualityReport
from isocenter.reports.series import Series

__all__ = ["Job", "Options", "Row"]


@dataclass(frozen=True)
class Options:
    """Choices that hold for every scan of a run."""

    out: Path
    model: str = "hsfnet"
    device: str = "auto"
    volume: int | None = None
    series: str | None = None
    contrast: str | None = None
    voxel_size: tuple[float, float, float] | None = None
    max_voxels: int = 512**3
    measures: str | None = None
    """Definition of the measures to add; ``None`` for none."""
    page: bool = True
    """Write the page as well as the document."""
    threads: int = 1
    """Threads of the network in each process.  More hardly help so small a network, hurt on a
    busy machine, and would let the last digits depend on the number of cores."""


@dataclass(frozen=True)
class Job:
    """Scans of one content, computed once, and the names of their results."""

    scans: tuple[Path, ...]
    names: tuple[str, ...]
    options: Options


@dataclass(frozen=True)
class Row:
    """What became of one scan."""

    scan: Path
    report: QualityReport | None = None
    series: Series | None = None
    page: Path | None = None
    error: str | None = None
    """One sentence, when there is no report."""
    code: int = 0
    """Exit code that this row alone would give."""
    fatal: bool = False
    """True when every other scan would fail in the same way."""
    trace: str | None = None
    """Traceback of the error."""
