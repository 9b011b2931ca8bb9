"""Search a folder for scans to the bottom, by names and, for DICOM, by content.

A folder that holds DICOM files is one scan.  Hidden files and folders are passed over, and
links to folders are not followed, so that a search ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from isocenter.registry import readers

__all__ = ["PAIRS", "search", "subject_of"]

DICOM = "dicom"
"""The reader whose files make one scan together."""
PREAMBLE, MAGIC = 128, b"DICM"
PAIRS = {".img": ".hdr", ".img.gz": ".hdr.gz"}
"""Ending of an image half by that of its header, which stands for the pair."""


def search(folder: Path) -> Iterator[Path]:
    """Every scan below ``folder``: files, headers of pairs and DICOM folders, sorted."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names = sorted(name for name in files if not name.startswith("."))
        here, known = Path(place), frozenset(names)
        yield from (here / name for name in names if _is_image(name, known))
        if any(_is_dicom(here / name) for name in names if not _ending(name, _endings())):
            yield here


def subject_of(path: Path) -> str:
    """A scan's file name without its ending; a folder's name as it is.

    >>> subject_of(Path("data/sub-01_T1w.nii.gz"))
    'sub-01_T1w'
    """
    name = path.name or path.resolve().name
    ending = _ending(name, (*_endings(), *_dicom_endings()))
    return name[: -len(ending)] if ending and len(ending) < len(name) else name


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
