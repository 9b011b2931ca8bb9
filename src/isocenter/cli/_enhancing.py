"""What ``enhance`` and ``check`` ask of their inputs, and how they print the checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.cli._inputs import lengths
from isocenter.errors import BadVolume, NeedsChoice, NothingFound, UnknownName, UsageError

if TYPE_CHECKING:
    from isocenter.data.enhancement import CheckReport
    from isocenter.data.io import Loaded

__all__ = ["CONTRASTS", "NOTHING_SAID", "Reading", "check_lines", "load_scan"]

CONTRASTS = ("FLAIR", "PDw", "T1w", "T2w")
EXPECTED = {
    "mean_square": "about 1 or less",
    "null_share": "the less the better",
    "null_share_of_interpolated": "to compare",
    "sigma": "in the scan's units",
}


@dataclass(frozen=True)
class Reading:
    """What a scan's file does not say."""

    volume: int | None = None
    """Of a 4-D file, take only this volume, counted from 0."""
    series: str | None = None
    """Of a DICOM folder with several series, take this one: its number or UID."""
    contrast: str | None = None
    """Contrast of the scan (T1w, T2w, FLAIR, PDw), when the file does not say."""
    voxel_size: str | None = None
    """Voxel size in mm along the stored axes, as X,Y,Z, when the file does not say."""


NOTHING_SAID = Reading()


def load_scan(path: Path, reading: Reading) -> Loaded:
    """A scan as its file holds it, without torch; what is wrong with the file names it.

    Raises:
        UsageError: Options that cannot be.
        InputError: The file cannot be used.
        NothingFound: No such file.
    """
    if reading.volume is not None and reading.volume < 0:
        raise UsageError(f"--volume is {reading.volume}: volumes are counted from 0")
    if reading.contrast is not None and reading.contrast not in CONTRASTS:
        raise UnknownName("contrast", reading.contrast, CONTRASTS)
    from isocenter.data.io import Selection, load

    size = lengths(reading.voxel_size)
    selection = Selection(volume=reading.volume, series=reading.series, voxel_size=size)
    try:
        return load(path, selection)
    except (BadVolume, NeedsChoice, NothingFound) as error:
        raise type(error)(f"{path}: {error}") from error


def check_lines(checks: CheckReport) -> Iterator[str]:
    """A table of what was checked, with the reason for what was not."""
    from isocenter.reports.enhancement import NAMES, flag_texts, shown

    before = ""
    for one in checks.measures:
        said = one.why_missing or EXPECTED.get(one.name, "")
        told = "for the same reason" if one.why_missing and said == before else said
        yield f"  {NAMES[one.name]:<38}{shown(one):>8}   {told}".rstrip()
        before = said
    known = {True: "yes", False: "no", None: "none"}[checks.in_prior]
    yield f"  {'like the scans learned from':<38}{known:>8}"
    for region in flag_texts(checks):
        yield f"  region: {region}"
