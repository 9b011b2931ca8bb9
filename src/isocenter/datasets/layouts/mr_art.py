"""MR-ART: T1-weighted scans of 148 people lying still, and moving a little and much."""

from __future__ import annotations

from isocenter.datasets.layouts._files import Rule, by_name
from isocenter.datasets.layouts._layout import Expected, Layout

__all__ = ["LAYOUT"]

LAYOUT = Layout(
    name="mr_art",
    title="MR-ART (OpenNeuro ds004173)",
    home="https://openneuro.org/datasets/ds004173",
    licence="CC0",
    terms="Free for every use; its authors ask for data set and paper to be cited.",
    download=("aws s3 sync --no-sign-request s3://openneuro.org/ds004173 ds004173-download/",),
    tree="""\
ds004173-download/
  sub-000103/anat/
    sub-000103_acq-standard_T1w.nii.gz
    sub-000103_acq-headmotion1_T1w.nii.gz
    sub-000103_acq-headmotion2_T1w.nii.gz
  derivatives/         scores of the raters and measures of MRIQC""",
    example="ds004173-download/sub-000103/anat/sub-000103_acq-standard_T1w.nii.gz",
    expected=(Expected("T1w", people=148, images=436, per_person=2),),
    find=by_name(
        Rule(
            r"(?P<person>sub-\d+)/anat/(?P=person)_acq-"
            r"(?P<session>standard|headmotion1|headmotion2)_T1w\.nii\.gz",
            "T1w",
        )
    ),
    notes=(
        "How a person lay (standard, headmotion1, headmotion2) is given as the session.",
        "All 148 people have a scan without motion; eight have one of the two others alone.",
    ),
)
"""The entry."""
