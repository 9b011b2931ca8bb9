"""What stands beside the images: the job, a record of each image, and the table of them all.

The records are the truth; the table is made from them in the order of the plan, so it has the
same bytes whoever made the images, and in which order.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from isocenter.data import atomic
from isocenter.data.random import child, generator
from isocenter.datasets.benchmark import COLUMNS, SIDES, TABLE
from isocenter.datasets.people import split_people
from isocenter.errors import UsageError
from isocenter.study._benchmark_plan import IMAGES, MARK, Job, Unit

__all__ = ["claim", "is_done", "join", "write_part"]

JOB = "job.json"
DICTIONARY = "labels.json"
PARTS = "shards"
OWN = {JOB, TABLE, DICTIONARY, PARTS, IMAGES}
SPOKEN = {
    MARK: "format",
    "isocenter": "version of isocenter",
    "seed": "seed",
    "versions": "list of versions",
    "storage": "storage",
    "crop": "crop",
    "images": "number of images",
    "scans": "number of scans",
    "scans_sha256": "list of scans",
}
"""What a difference between two jobs is called."""


def claim(job: Job) -> None:
    """Make the folder of the results this job's own.

    Raises:
        UsageError: It belongs to another job, or to something else.
        ResourceError: It cannot be made or written to.
    """
    atomic.make_folder(job.out)
    known = _read(job.out / JOB)
    if known is None:
        others = [path.name for path in job.out.iterdir() if path.name not in OWN]
        strange = sorted(name for name in others if not name.startswith("."))
        if strange:
            raise UsageError(
                f"{job.out} holds {strange[0]}, which is no part of a benchmark: give a new folder"
            )
        atomic.write_text(job.out / JOB, json.dumps(job.identity, indent=1) + "\n")
        return
    wanted = job.identity
    for key, spoken in SPOKEN.items():
        if known.get(key) != wanted[key]:
            raise UsageError(
                f"{job.out} holds the results of another job, whose {spoken} differs "
                f"({_short(known.get(key))}, not {_short(wanted[key])}): give another folder"
            )


def is_done(job: Job, unit: Unit, *, verify: bool = False) -> bool:
    """Whether the image is there: its record is, and the size (or the hash) is as recorded."""
    record, path = _read(job.out / unit.record), job.out / unit.file
    if record is None or not path.is_file() or path.stat().st_size != record.get("bytes"):
        return False
    if not verify:
        return True
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == record.get("sha256")


def write_part(job: Job) -> bool:
    """Write the table of this shard; the whole table with it once all shards have theirs.

    Returns:
        Whether the whole table was written.
    """
    part, n_parts = job.shard
    if n_parts == 1:
        join(job)
        return True
    folder = job.out / PARTS
    atomic.make_folder(folder)
    atomic.write_text(folder / _part(part, n_parts), _table(job, job.own_units))
    if not all((folder / _part(k, n_parts)).is_file() for k in range(1, n_parts + 1)):
        return False
    join(job)
    return True


def join(job: Job) -> None:
    """Write the table of all images that have a record, and what its columns mean."""
    atomic.write_text(job.out / TABLE, _table(job, job.units))
    atomic.write_text(job.out / DICTIONARY, json.dumps(_dictionary(job), indent=1) + "\n")


def _part(part: int, n_parts: int) -> str:
    return f"{part}-of-{n_parts}.tsv"


def _table(job: Job, units: Iterable[Unit]) -> str:
    sides = _sides(job)
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(COLUMNS)
    for unit in units:
        record = _read(job.out / unit.record)
        if record is not None:
            row = record | {"split": sides[unit.scan.person], "params": _params(record)}
            writer.writerow([row[column] for column in COLUMNS])
    return text.getvalue()


def _params(record: Mapping[str, Any]) -> str:
    damage = [step for step in record["history"] if step["name"] == record["artifact"]]
    drawn = damage[-1]["params"] if damage else {}
    return json.dumps(drawn, separators=(",", ":"))


def _sides(job: Job) -> dict[str, str]:
    """Side of every person of the whole job, whatever the shard."""
    people = {scan.person for scan in job.scans}
    split = split_people(people, SIDES, rng=child(generator(job.seed), "split"))
    return {person: side for side, members in split.items() for person in members}


def _dictionary(job: Job) -> dict[str, Any]:
    people = Counter(_sides(job).values())
    return job.identity | {
        "table": TABLE,
        "columns": COLUMNS,
        "people": {side: people[side] for side in SIDES},
    }


def _read(path: Path) -> dict[str, Any] | None:
    """A document of ours; ``None`` where there is none, or half of one."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and MARK in document else None


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 24 else f"{text[:20]}..."
