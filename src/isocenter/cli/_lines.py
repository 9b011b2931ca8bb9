"""What is printed for each scan."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from isocenter.cli._options import Row
from isocenter.data.scores import Finding, Opinion, QualityReport, ScanFacts
from isocenter.reports import text
from isocenter.reports.measures import among, is_odd
from isocenter.reports.series import Series

__all__ = ["complain", "head_line", "lines", "print_json", "print_lines", "speak_utf8"]

WIDTH = 66
"""Column at which the time stands in a scan's first line."""
MENTIONED = 4
"""Most artifacts that are printed for one scan."""


def complain(path: Path, sentence: str) -> None:
    """One line on stderr: ``name: sentence``."""
    name = text.one_line(os.fspath(path))
    print(f"{name}: {text.one_line(sentence)}", file=sys.stderr, flush=True)


def print_lines(row: Row) -> None:
    """The lines about one scan."""
    print("\n".join(lines(row)), flush=True)


def print_json(row: Row) -> None:
    """The document about one scan, on one line."""
    from isocenter.reports import json

    if row.report is not None:
        speak_utf8()
        print(json.dump(json.document(row.report, row.series), compact=True), end="", flush=True)


def speak_utf8() -> None:
    """JSON is UTF-8 whatever the locale says."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")


def head_line(scan: ScanFacts, seconds: float, device: str) -> str:
    """The first line about a scan: what it is, and what it took."""
    head = f"{scan.name}   {_facts(scan)}"
    return f"{head:<{WIDTH}} {seconds:.1f} s  {device}".rstrip()


def lines(row: Row) -> Iterator[str]:
    """The lines about one scan that was assessed."""
    report = row.report
    if report is None:
        return
    for line in _body(report, row):
        yield text.one_line(line)


def _body(report: QualityReport, row: Row) -> Iterator[str]:
    made_by = report.provenance
    yield head_line(report.scan, made_by.seconds, made_by.device)
    yield f"  quality   {_quality(report)}"
    for i, opinion in enumerate(report.opinions):
        yield f"  {'models' if i == 0 else '':<9} {_opinion(opinion)}"
    if row.series is not None:
        yield f"  volumes   {_series(row.series)}"
    findings = text.worth_telling(report)[:MENTIONED]
    if not findings:
        yield "  artifact  none found"
    for i, finding in enumerate(findings):
        yield f"  {'artifact' if i == 0 else '':<9} {_finding(finding)}"
    if made_by.measures is not None:
        yield f"  measures  {_measures(report)}"
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


def _opinion(opinion: Opinion) -> str:
    value = "none" if opinion.score.value is None else f"{opinion.score.value:.3g}"
    return f"{opinion.model:<9} {opinion.score.name} {value}   {opinion.says}"


def _measures(report: QualityReport) -> str:
    """How many there are; each stands in the report."""
    scores = [score for score in report.metrics.values() if not score.compared]
    n_missing = sum(score.value is None for score in scores)
    told = f"{len(scores) - n_missing} of {len(scores)} ({report.provenance.measures})"
    n_odd = sum(is_odd(score) for score in scores)
    return f"{told}, {n_odd} outside the band" if among(scores) else told


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
