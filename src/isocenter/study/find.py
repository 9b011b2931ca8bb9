"""Find scans: files as given, folders searched to the bottom.

A folder that holds DICOM files is one scan, or asks for ``--series``. Hidden files and
folders are passed over, and links to folders are not followed, so that a search ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from isocenter.registry import readers

__all__ = ["Found", "find_scans", "subject_of"]

DICOM = "dicom"
"""The reader whose files make one scan together."""
PREAMBLE, MAGIC = 128, b"DICM"
PAIRS = {".img": ".hdr", ".img.gz": ".hdr.gz"}


@dataclass(frozen=True)
class Found:
    """What a search came to."""

    scans: tuple[Path, ...]
    """Files and DICOM folders, in the order given and sorted within each folder."""
    absent: tuple[Path, ...]
    """Paths that were given and do not exist."""
    empty: tuple[Path, ...]
    """Folders that were given and hold no scan."""


def find_scans(paths: Iterable[Path]) -> Found:
    """Search ``paths``; a file that is named is always taken, whatever its ending."""
    scans: list[Path] = []
    absent: list[Path] = []
    empty: list[Path] = []
    for path in paths:
        if not os.path.lexists(path):
            absent.append(path)
        elif not path.is_dir():
            scans.append(path)
        elif inside := list(_search(path)):
            scans.extend(inside)
        else:
            empty.append(path)
    return Found(tuple(scans), tuple(absent), tuple(empty))


def subject_of(path: Path) -> str:
    """A scan's file name without its ending; a folder's name as it is.

    >>> subject_of(Path("data/sub-01_T1w.nii.gz"))
    'sub-01_T1w'
    """
    name = path.name or path.resolve().name
    ending = _ending(name, (*_endings(), *_dicom_endings()))
    return name[: -len(ending)] if ending and len(ending) < len(name) else name


def _search(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names = sorted(name for name in files if not name.startswith("."))
        here, known = Path(place), frozenset(names)
        yield from (here / name for name in names if _is_image(name, known))
        if any(_is_dicom(here / name) for name in names if not _ending(name, _endings())):
            yield here


def _is_image(name: str, names: frozenset[str]) -> bool:
    """Whether ``name`` is a scan of its own, and not the second half of a pair."""
    ending = _ending(name, _endings())
    if ending not in PAIRS:
        return bool(ending)
    return name[: -len(ending)] + PAIRS[ending] not in names


def _is_dicom(path: Path) -> bool:
    if path.suffix.lower() in _dicom_endings():
        return True
    if not path.is_file():  # a pipe would wait for ever
        return False
    try:
        with open(path, "rb") as file:
            return file.read(PREAMBLE + len(MAGIC))[PREAMBLE:] == MAGIC
    except OSError:
        return False


@cache
def _endings() -> tuple[str, ...]:
    """Endings of files that are a scan each; DICOM is known by its content too."""
    others = [readers.get(name) for name in readers.names() if name != DICOM]
    return tuple(ending for reader in others for ending in reader.ENDINGS)


@cache
def _dicom_endings() -> tuple[str, ...]:
    return tuple(readers.get(DICOM).ENDINGS)


def _ending(name: str, endings: Iterable[str]) -> str:
    """The longest of ``endings`` that ``name`` has; empty when it has none."""
    lower = name.lower()
    return max((end for end in endings if lower.endswith(end)), key=len, default="")
