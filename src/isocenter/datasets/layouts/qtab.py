"""QTAB: MP2RAGE inversions and high-resolution T2-weighted scans of adolescent twins."""

from __future__ import annotations

from isocenter.datasets.layouts._files import Rule, by_name
from isocenter.datasets.layouts._layout import Expected, Layout

__all__ = ["LAYOUT"]

PLACE = r"(?P<person>sub-\w+?)/(?P<session>ses-\w+?)/anat/(?P=person)_(?P=session)"

LAYOUT = Layout(
    name="qtab",
    title="QTAB (OpenNeuro ds004146)",
    home="https://openneuro.org/datasets/ds004146/versions/1.0.4",
    licence="CC0",
    terms="Free for every use; its authors ask for their paper to be cited.",
    download=("aws s3 sync --no-sign-request s3://openneuro.org/ds004146 ds004146-download/",),
    tree="""\
ds004146-download/
  sub-0001/
    ses-01/anat/
      sub-0001_ses-01_inv-1_MP2RAGE.nii.gz
      sub-0001_ses-01_inv-2_MP2RAGE.nii.gz
      sub-0001_ses-01_T2w_TSE_run-01.nii.gz ...
    ses-02/anat/ ...""",
    example="ds004146-download/sub-0001/ses-01/anat/sub-0001_ses-01_T2w_TSE_run-01.nii.gz",
    expected=(
        Expected("T1w", people=417, images=1441, crop=(176, 300, 320)),
        Expected("T2w", people=417, images=1821, crop=(768, 768, 50)),
    ),
    find=by_name(
        Rule(PLACE + r"_(?:\w[\w-]*_)?MP2RAGE\.nii\.gz", "T1w"),
        Rule(PLACE + r"_[\w-]*T2w_TSE[\w-]*\.nii\.gz", "T2w"),
    ),
    notes=(
        "The scans of the HSFNet benchmark: every MP2RAGE inversion counts as T1w, though the "
        "first hardly looks like one, and every run of the TSE as T2w.",
        "The combined UNIT1, the 3-D T2w and the FLAIR are left out; the entry bids finds the "
        "last two.",
        "People are twins: split families, not people, where families are known.",
    ),
)
"""The entry."""
