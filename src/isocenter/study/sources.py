"""The undamaged scans of a folder, by the layout of its data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from isocenter.data.search import subject_of
from isocenter.datasets import catalogue
from isocenter.datasets.layouts import plain
from isocenter.datasets.scan import Scan
from isocenter.errors import NothingFound

__all__ = ["Sources", "find_sources"]

BIDS, PLAIN = "bids", "plain"


@dataclass(frozen=True)
class Sources:
    """What a folder holds."""

    scans: tuple[Scan, ...]
    broken: tuple[tuple[Path, str], ...]
    """Files that should be scans, and what is wrong with each."""


def find_sources(source: Path, dataset: str | None = None) -> Sources:
    """Index a folder, or take a file or a DICOM folder for the only scan; none is opened.

    Args:
        source: Where the scans are.
        dataset: Layout to index by, as in ``isocenter datasets list``; BIDS for what looks like
            it, else a plain folder, when not given.

    Raises:
        UnknownName: No such layout.
        NothingFound: Nothing is there.
    """
    if not source.exists():
        raise NothingFound(f"{source}: there is no such file or folder")
    if dataset is None:
        if not source.is_dir():
            return Sources((_lone(source),), ())
        dataset = BIDS if _looks_like_bids(source) else PLAIN
    layout = catalogue.layout(dataset)
    broken = tuple((source / fault.path, fault.what) for fault in layout.check(source).faults)
    return Sources(layout.index(source), broken)


def _looks_like_bids(folder: Path) -> bool:
    return any(folder.glob("sub-*/anat")) or any(folder.glob("sub-*/ses-*/anat"))


def _lone(file: Path) -> Scan:
    person, session = plain.PERSON.search(file.name), plain.SESSION.search(file.name)
    return Scan(
        person[1] if person else subject_of(file),
        file,
        None,
        session[1] if session else None,
        PLAIN,
    )
