"""What ``assess`` and ``metrics`` ask of their inputs, before anything heavy is imported."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from isocenter.errors import NothingFound, UnknownName, UsageError

__all__ = ["check_definition", "check_reading", "find", "lengths"]


def check_reading(workers: int, volume: int | None, max_voxels: int) -> None:
    """Refuse numbers that make no sense.

    Raises:
        UsageError: One of them does not.
    """
    if workers < 1:
        raise UsageError(f"--workers is {workers}: give 1 or more")
    if volume is not None and volume < 0:
        raise UsageError(f"--volume is {volume}: volumes are counted from 0")
    if max_voxels < 1:
        raise UsageError(f"--max-voxels is {max_voxels}: give 1 or more")


def check_definition(name: str | None) -> None:
    """Refuse an unknown definition of the measures.

    Raises:
        UnknownName: There is no such one.
    """
    from isocenter.datasets.mriqc import DEFINITIONS

    if name is not None and name not in DEFINITIONS:
        raise UnknownName("definition", name, DEFINITIONS)


def lengths(given: str | None) -> tuple[float, float, float] | None:
    """Three lengths from ``1,1,1.2``.

    Raises:
        UsageError: It is something else.
    """
    if given is None:
        return None
    try:
        x, y, z = map(float, given.split(","))
    except ValueError:
        raise UsageError(f"--voxel-size is {given!r}: give three lengths as 1,1,1.2") from None
    if not all(0 < length < math.inf for length in (x, y, z)):
        raise UsageError(f"--voxel-size is {given!r}: give three lengths above 0, in mm")
    return x, y, z


def find(paths: Sequence[Path], *, command: str) -> tuple[tuple[Path, ...], int]:
    """The scans, and how many of ``paths`` came to nothing (each is told on stderr).

    Raises:
        UsageError: No path was given.
        NothingFound: No scan is there.
    """
    from isocenter.cli._lines import complain
    from isocenter.study.find import find_scans

    if not paths:
        raise UsageError(
            f"no scan was given: isocenter {command} PATH, or isocenter {command} --help"
        )
    found = find_scans(paths)
    for missing in found.absent:
        complain(missing, "there is no such file or folder")
    for folder in found.empty:
        complain(folder, "no scan was found in this folder or below it")
    if not found.scans:
        raise NothingFound("nothing matched: give a scan or a folder that holds scans")
    return found.scans, len(found.absent) + len(found.empty)
