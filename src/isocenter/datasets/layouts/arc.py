"""ARC: T1- and T2-weighted scans of 230 people with aphasia after a stroke."""

from __future__ import annotations

from isocenter.datasets.layouts._bids import anatomical
from isocenter.datasets.layouts._files import by_name
from isocenter.datasets.layouts._layout import Expected, Layout

__all__ = ["LAYOUT"]

LAYOUT = Layout(
    name="arc",
    title="ARC (OpenNeuro ds004884)",
    home="https://openneuro.org/datasets/ds004884/versions/1.0.1",
    licence="CC0",
    terms="Free for every use; its authors ask for their paper to be cited.",
    download=("aws s3 sync --no-sign-request s3://openneuro.org/ds004884 ds004884-download/",),
    tree="""\
ds004884-download/
  sub-M2001/
    ses-1076/anat/
      sub-M2001_ses-1076_acq-tfl3_run-4_T1w.nii.gz
    ses-1253/anat/
      sub-M2001_ses-1253_acq-spc3_run-3_T2w.nii.gz
  derivatives/lesion_masks/ ...""",
    example="ds004884-download/sub-M2001/ses-1076/anat/sub-M2001_ses-1076_acq-tfl3_run-4_T1w.nii.gz",
    expected=(
        Expected("T1w", people=230, images=447, crop=(160, 256, 256)),
        Expected("T2w", people=230, images=441, crop=(160, 256, 256)),
    ),
    find=by_name(anatomical("T1w", "T2w")),
    notes=(
        "The scans of the HSFNet benchmark; FLAIR is left out, and the entry bids finds it.",
        "How many of the 230 people have a scan of each contrast is as the benchmark says.",
    ),
)
"""The entry."""
