"""One name for each scan's results: predictable, unique, and fit for every disk."""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from isocenter.errors import UsageError
from isocenter.study.find import subject_of

__all__ = ["result_names"]

LONGEST = 255 - len("_quality.html")
"""Bytes that a file system leaves for the name before what is added to it."""
UNFIT = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\ud800-\udfff]')
"""Characters that some disk, shell or archive cannot hold."""


def result_names(scans: Sequence[Path]) -> dict[Path, str]:
    """The name under which the results of each scan are written.

    It is the scan's file name without its ending. Where that is not unique, the ending is
    kept, then the names of the folders above are put before it, for all scans of that name.

    Args:
        scans: Scans as given; the same path may stand there twice.

    Raises:
        UsageError: Two names differ only in upper and lower case.
    """
    places = {scan: Path(os.path.abspath(scan)) for scan in scans}
    names = {place: _fit(subject_of(place)) for place in places.values()}
    depth = max((len(place.parts) for place in names), default=0)
    makers: list[Callable[[Path], str]] = [_with_ending]
    makers += [_with_folders(n) for n in range(1, depth)]
    for make in makers:
        clashing = [place for group in _groups(names).values() if len(group) > 1 for place in group]
        if not clashing:
            break
        names |= {place: _fit(make(place)) for place in clashing}
    _refuse_case_clash(names)
    return {scan: names[place] for scan, place in places.items()}


def _with_ending(scan: Path) -> str:
    return scan.name


def _with_folders(n: int) -> Callable[[Path], str]:
    def make(scan: Path) -> str:
        above = scan.parts[1:-1][-n:]
        return "_".join([*above, subject_of(scan) if n == 1 else scan.name])

    return make


def _groups(names: Mapping[Path, str]) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = defaultdict(list)
    for scan, name in names.items():
        groups[name].append(scan)
    return groups


def _fit(name: str) -> str:
    """``name`` without what a disk cannot hold; cut, with a hash, when it is too long."""
    fit = UNFIT.sub("_", name).strip(" ") or "_"
    if len(fit.encode()) <= LONGEST:
        return fit
    mark = "~" + hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
    return fit.encode()[: LONGEST - len(mark)].decode(errors="ignore") + mark


def _refuse_case_clash(names: Mapping[Path, str]) -> None:
    seen: dict[str, tuple[str, Path]] = {}
    for scan, name in names.items():
        other, first = seen.setdefault(name.casefold(), (name, scan))
        if first != scan:
            raise UsageError(
                f"the results of {first.name!r} and {scan.name!r} would be named {other!r} and "
                f"{name!r}, which is one file on many disks: rename one scan, or run them apart"
            )
