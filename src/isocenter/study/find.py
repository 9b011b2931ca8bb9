"""Find scans: files as given, folders searched to the bottom.

A folder that holds DICOM files is one scan, or asks for ``--series``. Hidden files and
folders are passed over, and links to folders are not followed, so that a search ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from isocenter.data.search import search, subject_of

__all__ = ["Found", "find_scans", "subject_of"]


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
        elif inside := list(search(path)):
            scans.extend(inside)
        else:
            empty.append(path)
    return Found(tuple(scans), tuple(absent), tuple(empty))
