"""Any folder of scans, however it is named."""

from __future__ import annotations

import re
from pathlib import Path

from isocenter.datasets.layouts._files import whole
from isocenter.datasets.layouts._layout import Contents, Layout
from isocenter.datasets.scan import Scan

__all__ = ["LAYOUT"]

PERSON = re.compile(r"(?:^|[/_])(sub-[A-Za-z0-9]+)")
SESSION = re.compile(r"(?:^|[/_])(ses-[A-Za-z0-9]+)")


def find(root: Path, dataset: str) -> Contents:
    """Every scan to the bottom, by ending or, for DICOM, by content."""
    from isocenter.data.search import search

    return whole(root, (_scan(root, path, dataset) for path in search(root)))


def _scan(root: Path, path: Path, dataset: str) -> Scan:
    from isocenter.data.io import contrast_of
    from isocenter.data.search import subject_of

    relative = path.relative_to(root)
    place = relative.as_posix()
    person, session = PERSON.search(place), SESSION.search(place)
    above = relative.parts[0] if len(relative.parts) > 1 else subject_of(path)
    return Scan(
        person[1] if person else above,
        path,
        contrast_of(path.name),
        session[1] if session else None,
        dataset,
    )


LAYOUT = Layout(
    name="plain",
    title="a folder of scans",
    home="https://nifti.nimh.nih.gov",
    licence="its own",
    terms="What those who gave you the scans allow.",
    download=("nothing to download: any folder with NIfTI, Analyze, MINC, MGH or DICOM",),
    tree="""\
someone/
  T1.nii.gz
  T2.nii.gz
someone_else/
  a folder with one DICOM series/""",
    example="someone/T1.nii.gz",
    expected=(),
    find=find,
    notes=(
        "A person is what sub-... in the path says, else the first folder, else the file's name; "
        "so keep the scans of a person in one folder, or splits cannot keep them together.",
        "The contrast is what the words of the file's name say (T1, mprage, T2, flair, PD).",
    ),
)
"""The entry."""
