"""The table: one row for each scan, safe to open in a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from isocenter.data.scores import QualityReport
from isocenter.reports.text import valid

__all__ = ["cell", "table"]

Value: TypeAlias = float | int | str | bool | None

FORMULA = ("=", "+", "-", "@")
"""A spreadsheet would run a text that begins with one of these."""
MISSING = "n/a"
"""Missing value, as BIDS tables write it."""

COLUMNS = (
    "subject",
    "quality",
    "quality_low",
    "quality_high",
    "verdict",
    "in_domain",
    "contrast",
    "shape",
    "spacing_mm",
    "why_missing",
    "sha256",
    "model_sha256",
    "isocenter",
)


def table(reports: Sequence[QualityReport]) -> str:
    """Tab-separated text with a header line and one line for each report."""
    artifacts = sorted({finding.name for report in reports for finding in report.artifacts})
    extra = [f"{name}_{field}" for name in artifacts for field in ("probability", "level")]
    lines: list[list[Value]] = [[*COLUMNS, *extra]]
    lines += [_row(report, artifacts) for report in reports]
    return "".join("\t".join(cell(value) for value in line) + "\n" for line in lines)


def cell(value: Value) -> str:
    r"""One cell: no line ends, no tabs, nothing that a spreadsheet would take for a formula.

    >>> cell("=1+1"), cell("two\nlines"), cell(-0.5), cell(None)
    ("'=1+1", 'two\\nlines', '-0.5', 'n/a')
    """
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (float, int)):
        return f"{value:.6g}"
    text = valid("".join(c if c.isprintable() else _escape(c) for c in value))
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _row(report: QualityReport, artifacts: Sequence[str]) -> list[Value]:
    low, high = report.interval or (None, None)
    findings = {finding.name: finding for finding in report.artifacts}
    row: list[Value] = [
        report.subject,
        report.score,
        low,
        high,
        report.verdict,
        report.domain.in_domain,
        report.scan.contrast,
        "x".join(map(str, report.scan.shape)),
        "x".join(f"{mm:.4g}" for mm in report.scan.spacing),
        report.quality.why_missing,
        report.scan.sha256,
        report.provenance.model_sha256,
        report.provenance.isocenter,
    ]
    for name in artifacts:
        finding = findings.get(name)
        row += [finding.probability, finding.level] if finding else [None, None]
    return row
