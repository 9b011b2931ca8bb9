"""The collection of licensed scans that the shipped weights are made from.

The collection itself is not part of the package; its folder is given by the caller.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from isocenter.errors import NothingFound

__all__ = ["Source", "sources"]

Kind = Literal["brain", "head", "labels"]


@dataclass(frozen=True)
class Source:
    """One undistorted scan, or one label map to paint heads from."""

    person: str
    """Unique over the whole collection; splits go by it."""
    path: Path
    kind: Kind
    contrast: str | None
    origin: str
    """Data set and licence, as the card must name it."""


_LAYOUT: tuple[tuple[str, str, Kind, str], ...] = (
    ("brains", r"(?P<person>sub-\d+)_(?P<contrast>T1w)\.nii\.gz", "brain",
     "OpenNeuro ds002748 (CC0)"),
    ("ms", r"(?P<person>patient-\d+)_visit-\d_(?P<contrast>T1W|T2W|FLAIR)\.nii\.gz", "head",
     "Open MS data, longitudinal (CC-BY)"),
    ("ms", r"mni_(?P<person>patient-\d+)_(?P<contrast>T1|T2|FLAIR)\.nii\.gz", "brain",
     "Open MS data, cross-sectional (CC-BY)"),
    ("labels", r"training_seg_(?P<person>\d+)(?P<contrast>)\.nii\.gz", "labels",
     "SynthSeg training label maps (Apache-2.0)"),
    ("dicom", r"(?P<person>head)_(?P<contrast>T1w)", "head", "FNNDSC data (Apache-2.0)"),
)  # fmt: skip
_CONTRASTS = {"T1": "T1w", "T1W": "T1w", "T2": "T2w", "T2W": "T2w", "": None}


def sources(root: Path) -> tuple[Source, ...]:
    """All undistorted scans below ``root``, sorted.

    Raises:
        NothingFound: The folder holds none of the known names.
    """
    found = [
        source
        for folder, pattern, kind, origin in _LAYOUT
        for path in sorted((root / folder).glob("*"))
        if (source := _source(path, pattern, kind, origin)) is not None
    ]
    if not found:
        raise NothingFound(
            f"no scans of the collection in {root}; give the folder that holds brains/, labels/"
        )
    return tuple(found)


def _source(path: Path, pattern: str, kind: Kind, origin: str) -> Source | None:
    match = re.fullmatch(pattern, path.name)
    if match is None:
        return None
    contrast = _CONTRASTS.get(match["contrast"], match["contrast"])
    prefix = "mni-" if path.name.startswith("mni_") else ""
    person = f"{path.parent.name}/{prefix}{match['person']}"
    return Source(person, path, kind, contrast, origin)
