"""One scan from file to results: through the door, to the model, onto the disk."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from isocenter.cli._failures import Failure, failure
from isocenter.cli._failures import died as killed
from isocenter.cli._options import Job, Options, Row
from isocenter.cli._volumes import assess_volumes, facts
from isocenter.data import atomic
from isocenter.data.scores import QualityReport
from isocenter.errors import ResourceError
from isocenter.reports import html, json
from isocenter.reports.series import Series
from isocenter.study.find import subject_of

__all__ = ["died", "prepare_folder", "work", "write_results"]


def work(job: Job) -> list[Row]:
    """Assess a job's content once and write the results of each of its scans."""
    rows: list[Row] = []
    done: Row | None = None
    for scan, name in zip(job.scans, job.names, strict=True):
        rows.append(_row(scan, name, job.options, done))
        done = done or (rows[-1] if rows[-1].report else None)
        if rows[-1].fatal:
            break
    return rows


def died(job: Job) -> list[Row]:
    """Rows of a job whose process was killed."""
    return [_failed(scan, killed()) for scan in job.scans]


def prepare_folder(folder: Path) -> None:
    """Make the folder for results and see that it can be written to.

    Raises:
        ResourceError: It cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"cannot make the folder {folder}: {error.strerror}; choose another with --out"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ResourceError(f"cannot write to the folder {folder}; choose another with --out")


def write_results(
    report: QualityReport, name: str, options: Options, series: Series | None = None
) -> Path | None:
    """Write the page, then the document: a result exists only when its document does."""
    page = options.out / f"{name}_quality.html" if options.page else None
    document = json.dump(json.document(report, series))
    if page is not None:
        atomic.write_text(page, html.page([report], series))
    atomic.write_text(options.out / f"{name}_quality.json", document)
    return page


def _row(scan: Path, name: str, options: Options, twin: Row | None) -> Row:
    """Assess and write; every failure becomes a row."""
    try:
        report, series = _report(scan, options, twin)
        page = write_results(report, name, options, series)
        return Row(scan, report, series, page)
    except Exception as error:
        return _failed(scan, failure(error))


def _failed(scan: Path, why: Failure) -> Row:
    return Row(scan, error=why.error, code=why.code, fatal=why.fatal, trace=why.trace)


def _report(scan: Path, options: Options, twin: Row | None) -> tuple[QualityReport, Series | None]:
    if twin is None or twin.report is None:
        return assess_volumes(scan, options)
    same = replace(twin.report, subject=subject_of(scan), scan=facts(scan, options))
    return same, twin.series
