"""A folder that MRIQC wrote: one document of measures for each structural scan."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

from isocenter.datasets.layouts._files import fault_of, walk
from isocenter.datasets.layouts._layout import Contents, Fault, Layout
from isocenter.datasets.mriqc import MEASURES
from isocenter.datasets.scan import Scan

__all__ = ["LAYOUT"]

NAME = re.compile(
    r"(?P<person>sub-[A-Za-z0-9]+)(?:_(?P<session>ses-[A-Za-z0-9]+))?(?:_[A-Za-z0-9]+-[^_]+)*"
    r"_(?P<contrast>T1w|T2w|FLAIR|PDw)"
)
TABLE = re.compile(r"group_(?:T1w|T2w|FLAIR|PDw)\.tsv")


def find(root: Path, dataset: str) -> Contents:
    """Documents of scans; where there are none, the rows of group tables."""
    scans: list[Scan] = []
    rows: list[Scan] = []
    faults: list[Fault] = []
    for path in walk(root):
        named = NAME.fullmatch(path.stem) if path.suffix == ".json" else None
        if named is None and not TABLE.fullmatch(path.name):
            continue
        what = fault_of(path, root.resolve())
        try:
            if what is not None:
                faults.append(Fault(path.relative_to(root), what))
            elif named is None:
                rows.extend(_rows(path, dataset))
            elif _is_document(path):
                scans.append(_scan(named, path, dataset))
        except (OSError, ValueError, RecursionError):
            kind = "table" if named is None else "JSON"
            faults.append(Fault(path.relative_to(root), f"no {kind} in UTF-8: written by half"))
    return Contents(tuple(scans or rows), tuple(faults))


def _is_document(path: Path) -> bool:
    """Whether a JSON holds measures, and is not the sidecar of a scan of the same name."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return isinstance(content, dict) and not content.keys().isdisjoint(MEASURES)


def _rows(path: Path, dataset: str) -> Iterator[Scan]:
    lines = path.read_text(encoding="utf-8").splitlines()
    for row in csv.DictReader(lines, delimiter="\t"):
        named = NAME.fullmatch(row.get("bids_name") or "")
        if named is not None:
            yield _scan(named, path, dataset)


def _scan(named: re.Match[str], path: Path, dataset: str) -> Scan:
    return Scan(named["person"], path, named["contrast"], named["session"], dataset)


LAYOUT = Layout(
    name="mriqc",
    title="a folder of MRIQC",
    home="https://mriqc.readthedocs.io",
    licence="that of the scans",
    terms="What the data set allows that the measures were taken from.",
    download=("mriqc bids/ mriqc/ participant", "mriqc bids/ mriqc/ group"),
    tree="""\
sub-01/anat/sub-01_T1w.json
sub-02/anat/sub-02_T1w.json ...
group_T1w.tsv""",
    example="sub-01/anat/sub-01_T1w.json",
    expected=(),
    find=find,
    notes=(
        "What is counted are documents, not scans; without any, the rows of the group tables.",
        "isocenter metrics reads a document or a table, given with its definition.",
    ),
)
"""The entry."""
