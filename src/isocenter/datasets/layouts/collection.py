"""The collection of openly licensed scans that the shipped weights come from."""

from __future__ import annotations

import re
from pathlib import Path

from isocenter.datasets.collection import sources
from isocenter.datasets.layouts._files import whole
from isocenter.datasets.layouts._layout import Contents, Expected, Layout
from isocenter.datasets.scan import Scan
from isocenter.errors import NothingFound

__all__ = ["LAYOUT"]


def find(root: Path, dataset: str) -> Contents:
    """Brains and heads; label maps are no scans."""
    try:
        found = sources(root)
    except NothingFound:
        return Contents(())
    return whole(
        root,
        [
            Scan(source.person, source.path, source.contrast, _visit(source.path), dataset)
            for source in found
            if source.kind != "labels"
        ],
    )


def _visit(path: Path) -> str | None:
    found = re.search(r"visit-\d", path.name)
    return found[0] if found else None


LAYOUT = Layout(
    name="collection",
    title="the collection behind the shipped weights",
    home="https://openneuro.org/datasets/ds002748",
    licence="CC0, CC-BY and Apache-2.0",
    terms="Free for every use; the scans of Open MS data ask for attribution.",
    download=(
        "aws s3 sync --no-sign-request s3://openneuro.org/ds002748 ds002748-download/",
        "git clone https://github.com/muschellij2/open_ms_data",
    ),
    tree="""\
brains/sub-01_T1w.nii.gz ...
ms/patient-01_visit-1_T1W.nii.gz, mni_patient-07_T1.nii.gz ...
dicom/head_T1w/        a folder with one DICOM series
labels/training_seg_01.nii.gz ...""",
    example="brains/sub-01_T1w.nii.gz",
    expected=(
        Expected("T1w", people=36, images=36),
        Expected("T2w", people=5, images=5),
        Expected("FLAIR", people=5, images=5),
    ),
    find=find,
    notes=(
        "A selection, renamed and partly cropped: the downloads above are where most of it comes "
        "from, and do not lie as it does.",
        "Label maps, from which heads are painted, are no scans and are left out.",
    ),
)
"""The entry."""
