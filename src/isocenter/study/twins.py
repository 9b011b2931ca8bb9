"""Scans of the same content, so that each content is computed once."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

__all__ = ["group_twins"]


def group_twins(scans: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Group scans whose files hold the same bytes; a path that is listed twice stands twice.

    Only files of equal size are read. Folders and what cannot be read stay alone.
    """
    by_size: dict[object, list[Path]] = defaultdict(list)
    for scan in dict.fromkeys(scans):
        by_size[_size(scan)].append(scan)
    groups: dict[object, list[Path]] = defaultdict(list)
    for scan in scans:
        alone = len(by_size[_size(scan)]) == 1
        groups[scan if alone else _content(scan)].append(scan)
    return [tuple(group) for group in groups.values()]


def _size(scan: Path) -> object:
    """The size of a file that can be compared; the path itself for anything else."""
    pair = scan.suffix.lower() in (".hdr", ".img")
    return os.path.getsize(scan) if scan.is_file() and not pair else scan


def _content(scan: Path) -> object:
    try:
        with open(scan, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return scan
