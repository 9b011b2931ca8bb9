"""Reports: what was found out about a scan, as a page, a document or a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from isocenter.data import atomic
from isocenter.data.scores import QualityReport
from isocenter.errors import UnknownName, UsageError

__all__ = ["report"]

ENDINGS = (".html", ".json", ".tsv")


def report(reports: QualityReport | Sequence[QualityReport], to: Path | str) -> Path:
    """Write one report, or several side by side, to a file.

    The ending of ``to`` chooses the form: ``.html`` is one self-contained page, ``.json``
    the versioned document of ``docs/reference/result-schema.md`` (an array of them for a
    sequence), ``.tsv`` a table with one row for each scan.

    Args:
        reports: One report, or a sequence of at least one.
        to: File to write; an older file of this name is replaced in one step.

    Returns:
        The path that was written.

    Raises:
        UsageError: No report was given, or the ending is none of the three.
        ResourceError: The file cannot be written.

    >>> import isocenter as iso
    >>> iso.report(iso.assess("scan.nii.gz"), to="scan.html")    # doctest: +SKIP
    """
    path = Path(to)
    several = [reports] if isinstance(reports, QualityReport) else list(reports)
    if not several:
        raise UsageError("no report was given to write: give at least one")
    ending = path.suffix.lower()
    if ending == ".html":
        from isocenter.reports import html

        text = html.page(several)
    elif ending == ".json":
        from isocenter.reports import json

        documents = [json.document(one) for one in several]
        text = json.dump(documents[0] if isinstance(reports, QualityReport) else documents)
    elif ending == ".tsv":
        from isocenter.reports import tsv

        text = tsv.table(several)
    else:
        raise UnknownName("report ending", ending, ENDINGS)
    return atomic.write_text(path, text)
