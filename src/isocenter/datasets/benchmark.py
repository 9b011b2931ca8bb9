"""A distortion benchmark on disk: what its table says of every image."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.data.search import subject_of
from isocenter.datasets.scan import Scan
from isocenter.errors import InputError, NothingFound

__all__ = ["COLUMNS", "SIDES", "TABLE", "BenchmarkImage", "read_benchmark", "scan_name"]

TABLE = "labels.tsv"
SIDES = {"train": 0.6, "validation": 0.2, "test": 0.2}
"""Share of the people on each side of the split."""
COLUMNS = {
    "file": "the image, relative to this folder",
    "person": "whose scan it is; splits go by it",
    "session": "visit, scanner or repeat; empty where there is none",
    "source": "the undamaged scan, relative to the folder it was taken from",
    "source_sha256": "hash of the undamaged scan's file",
    "contrast": "T1w, T2w, FLAIR or PDw; empty where it is not known",
    "preset": "what a level means: hsfnet-2025, physical or rad-iqmri",
    "artifact": "what was done to it; pristine for nothing",
    "level": "0 (pristine), 1 (slight) to 4 (severe)",
    "seed": "seed of the whole benchmark",
    "split": "train, validation or test: 3:1:1 by person",
    "storage": "number type of the image: int16 with slope and intercept, or float32",
    "storage_loss": "largest error of rounding over the 1st to 99th percentile of its brightness",
    "sha256": "hash of the image's file",
    "params": "everything that was drawn, as JSON; {} for pristine",
}
"""Columns of the table, and what they mean."""


@dataclass(frozen=True)
class BenchmarkImage:
    """One row of the table of a benchmark."""

    path: Path
    person: str
    session: str | None
    source: str
    contrast: str | None
    preset: str
    artifact: str
    level: int
    split: str
    params: Mapping[str, Any]


def scan_name(scan: Scan) -> str:
    """The name of a scan among those of its person, which chance is drawn by.

    It depends on the scan alone, not on where its data set lies or what else is in it.

    >>> scan_name(Scan("sub-01", Path("in/sub-01_ses-2_T1w.nii.gz"), "T1w", "2", "bids"))
    '2/sub-01_ses-2_T1w'
    """
    return f"{scan.session or ''}/{subject_of(scan.path)}"


def read_benchmark(folder: Path | str) -> tuple[BenchmarkImage, ...]:
    """The images that ``isocenter simulate`` wrote, in the order of its plan.

    Raises:
        NothingFound: There is no table in the folder.
        InputError: The table is another one.
    """
    folder = Path(folder)
    table = folder / TABLE
    if not table.is_file():
        raise NothingFound(f"{folder} holds no {TABLE}: give the folder that simulate wrote")
    try:
        with open(table, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t")
            if tuple(reader.fieldnames or ()) != tuple(COLUMNS):
                raise ValueError("other columns")
            return tuple(_image(folder, row) for row in reader)
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise InputError(
            f"{table} is no table of a benchmark ({error}); make it again with simulate --resume"
        ) from error


def _image(folder: Path, row: Mapping[str, str]) -> BenchmarkImage:
    return BenchmarkImage(
        path=folder / row["file"],
        person=row["person"],
        session=row["session"] or None,
        source=row["source"],
        contrast=row["contrast"] or None,
        preset=row["preset"],
        artifact=row["artifact"],
        level=int(row["level"]),
        split=row["split"],
        params=json.loads(row["params"]),
    )
