"""Finding the scans of a data set by the names that its files have as downloaded."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from isocenter.datasets.layouts._layout import Contents, Fault, Find
from isocenter.datasets.scan import Scan

__all__ = ["Rule", "by_name", "fault_of", "first_of", "walk", "whole"]

DERIVED = frozenset({"derivatives", "sourcedata"})
"""Folders of BIDS data sets that hold no scan as it was taken."""
CONTRASTS = {"T1": "T1w", "T2": "T2w", "PD": "PDw"}


class Rule(NamedTuple):
    """Which paths are scans.

    The groups ``person`` and, where a name tells them, ``session`` and ``contrast`` say what
    the scan is.
    """

    pattern: str
    """Of the end of the path, from some folder on; of an Analyze pair, the header's."""
    contrast: str | None = None
    """Of all these scans, where no group tells it."""


def by_name(*rules: Rule) -> Find:
    """Find the files whose path one of ``rules`` describes; the first that does counts."""
    compiled = [(re.compile(rf"(?:.*/)?{rule.pattern}"), rule.contrast) for rule in rules]

    def find(root: Path, dataset: str) -> Contents:
        scans = []
        for path in walk(root):
            scan = _scan(root, path, compiled, dataset)
            if scan is not None:
                scans.append(scan)
        return whole(root, scans)

    return find


def first_of(*finds: Find) -> Find:
    """Find by the first way that comes to a scan, so that two copies do not count twice."""

    def find(root: Path, dataset: str) -> Contents:
        found = [way(root, dataset) for way in finds]
        faults = tuple(fault for contents in found for fault in contents.faults)
        return next((c for c in found if c.scans), Contents((), faults))

    return find


def walk(root: Path) -> Iterator[Path]:
    """Every file below ``root`` by sorted names, without hidden ones and derivatives.

    Links to folders are not followed.  An image half of an Analyze pair is passed over where
    its header is there; where the header is missing, the header's path is given instead.
    """
    for place, folders, files in os.walk(root):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n not in DERIVED)
        here = Path(place)
        names = {name for name in files if not name.startswith(".")}
        for name in sorted({_header_of(name) for name in names}):
            yield here / name


def whole(root: Path, scans: Iterable[Scan]) -> Contents:
    """Tell scans that can be read from files that are none."""
    inside = root.resolve()
    good, faults = [], []
    for scan in scans:
        what = fault_of(scan.path, inside)
        if what is None:
            good.append(scan)
        else:
            there = next(filter(os.path.lexists, _halves(scan.path)))
            faults.append(Fault(there.relative_to(root), what))
    return Contents(tuple(good), tuple(faults))


def fault_of(path: Path, inside: Path) -> str | None:
    """What makes a file no scan, without reading it; ``None`` when nothing does.

    Args:
        path: The file; of a pair, either half, which stands for both.
        inside: The resolved folder that no link may leave.
    """
    halves = _halves(path)
    missing = [half.name for half in halves if not os.path.lexists(half)]
    if missing:
        return f"half of a pair: {missing[0]} is missing"
    return next((what for half in halves if (what := _fault_of_file(half, inside))), None)


def _fault_of_file(path: Path, inside: Path) -> str | None:
    if not path.resolve().is_relative_to(inside):
        return "a link that leads out of the folder, which is not followed"
    if not path.exists():
        return "a link to nothing: its content was never fetched"
    if path.is_file() and path.stat().st_size == 0:
        return f"{path.name} is empty"
    return None


def _scan(
    root: Path,
    path: Path,
    rules: Sequence[tuple[re.Pattern[str], str | None]],
    dataset: str,
) -> Scan | None:
    relative = path.relative_to(root).as_posix()
    for pattern, fixed in rules:
        match = pattern.fullmatch(relative)
        if match is not None:
            said = match.groupdict()
            contrast = fixed or CONTRASTS.get(said["contrast"], said["contrast"])
            return Scan(said["person"], path, contrast, said.get("session"), dataset)
    return None


def _header_of(name: str) -> str:
    return re.sub(r"\.img(\.gz)?$", r".hdr\1", name)


def _halves(path: Path) -> tuple[Path, ...]:
    """Both files of an Analyze pair; any other file alone."""
    found = re.fullmatch(r"(.*)\.(?:hdr|img)((?:\.gz)?)", path.name)
    if found is None:
        return (path,)
    return tuple(path.with_name(f"{found[1]}.{half}{found[2]}") for half in ("hdr", "img"))
