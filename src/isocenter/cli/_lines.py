"""What is printed for each scan."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from isocenter.cli._options import Row
from isocenter.data.scores import Finding, QualityReport, ScanFacts
from isocenter.reports import text
from isocenter.reports.series import Series

__all__ = ["complain", "lines"]

WIDTH = 66
"""Column at which the time stands in a scan's first line."""
MENTIONED = 4
"""Most artifacts that are printed for one scan."""


def complain(path: Path, sentence: str) -> None:
    """One line on stderr: ``name: sentence``."""
    name = text.one_line(os.fspath(path))
    print(f"{name}: {text.one_line(sentence)}", file=sys.stderr, flush=True)


def lines(row: Row) -> Iterator[str]:
    """The lines about one scan that was assessed."""
    report = row.report
    if report is None:
        return
    for line in _body(report, row):
        yield text.one_line(line)


def _body(report: QualityReport, row: Row) -> Iterator[str]:
    made_by = report.provenance
    head = f"{report.scan.name}   {_facts(report.scan)}"
    yield f"{head:<{WIDTH}} {made_by.seconds:.1f} s  {made_by.device}"
    yield f"  quality   {_quality(report)}"
    if row.series is not None:
        yield f"  volumes   {_series(row.series)}"
    findings = text.worth_telling(report)[:MENTIONED]
    if not findings:
        yield "  artifact  none found"
    for i, finding in enumerate(findings):
        yield f"  {'artifact' if i == 0 else '':<9} {_finding(finding)}"
    if row.page is not None:
        yield f"  report    {os.fspath(row.page)}"
    if not report.domain.in_domain:
        yield "  note      unlike the scans that the model knows: do not rely on the findings"
    for note in text.notes(report):
        yield f"  note      {note}"


def _facts(scan: ScanFacts) -> str:
    contrast = f"{scan.contrast}" if scan.contrast else "contrast unknown"
    n_axes = sum(side > 1 for side in scan.shape)
    return f"{contrast}, {text.size(scan.spacing)}, {max(n_axes, 2)}-D"


def _quality(report: QualityReport) -> str:
    if report.score is None:
        return f"no score   {report.quality.why_missing}"
    told = f"{report.score:.0f} / 100"
    if report.interval is not None:
        told += f"  (90 % interval {text.interval(report.interval)})"
    return f"{told}   {report.verdict}"


def _finding(finding: Finding) -> str:
    told = f"{finding.name:<9} {text.level(finding):<9} p={finding.probability:.2f}"
    where = text.slices(finding.slices)
    return f"{told}   worst slices: {where}" if where else told


def _series(series: Series) -> str:
    lowest = series.lowest
    if lowest is None or lowest.quality.value is None:
        return f"{len(series.volumes)} in the file, none has a score; this is volume 0"
    told = f"{len(series.volumes)} in the file; this is the median one, volume {series.described}"
    return f"{told}; lowest quality {lowest.quality.value:.0f} in volume {lowest.index}"
