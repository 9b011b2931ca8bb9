"""The command line without a network: reports are made by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from isocenter.cli import _app, _assessing
from isocenter.cli._options import Options
from isocenter.data.scores import QualityReport, Score
from isocenter.errors import BadCheckpoint, BadVolume, ResourceError
from isocenter.reports.series import Series
from tests.unit.reports.made import NO_QUALITY, made_report

Run = Callable[..., int]


def assessed(scan: Path, options: Options) -> tuple[QualityReport, Series | None]:
    """A report whose quality is the number in the scan's content, or the error named there."""
    content = scan.read_text()
    if content == "bad":
        raise BadVolume("checksum mismatch: file is damaged")
    if content == "weights":
        raise BadCheckpoint("no weights at w.safetensors; reinstall isocenter or name a file")
    if content == "full":
        raise ResourceError("disk full while writing x: 12 bytes free; make room or use --out")
    if content == "memory":
        raise MemoryError
    if content == "bug":
        raise TypeError("half a voxel")
    if content == "stop":
        raise KeyboardInterrupt
    report = made_report(scan.name)
    quality = (
        Score("quality", float(content), None, "higher", 0.0, 100.0) if content else NO_QUALITY
    )
    made_by = dataclasses.replace(report.provenance, measures=options.measures)
    scores = (quality, *report.scores[1:])
    return dataclasses.replace(report, scores=scores, provenance=made_by), None


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_assessing, "assess_volumes", assessed)
    return lambda *words: _app.run([str(word) for word in words])


@pytest.fixture
def scan(tmp_path: Path) -> Callable[[str, str], Path]:
    """Make a scan file that holds its quality."""

    def make(name: str, content: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    return make
