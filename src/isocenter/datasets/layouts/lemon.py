"""LEMON: T1- (MP2RAGE), T2-weighted and FLAIR scans of 228 young and old adults."""

from __future__ import annotations

from isocenter.datasets.layouts._bids import anatomical
from isocenter.datasets.layouts._files import by_name
from isocenter.datasets.layouts._layout import Expected, Layout

__all__ = ["LAYOUT"]

LAYOUT = Layout(
    name="lemon",
    title="LEMON (MPI Leipzig, OpenNeuro ds000221)",
    home="https://openneuro.org/datasets/ds000221",
    licence="CC0",
    terms="Free for every use; its authors ask for their paper to be cited.",
    download=(
        "aws s3 sync --no-sign-request s3://openneuro.org/ds000221 ds000221-download/"
        " --exclude '*' --include '*/ses-01/anat/*'",
    ),
    tree="""\
ds000221-download/
  sub-010002/ses-01/anat/
    sub-010002_ses-01_acq-mp2rage_T1w.nii.gz
    sub-010002_ses-01_inv-1_mp2rage.nii.gz
    sub-010002_ses-01_inv-2_mp2rage.nii.gz
    sub-010002_ses-01_T2w.nii.gz
    sub-010002_ses-01_acq-highres_FLAIR.nii.gz   or acq-lowres
  sub-010002/ses-02/   another protocol: left out""",
    example="ds000221-download/sub-010002/ses-01/anat/sub-010002_ses-01_acq-mp2rage_T1w.nii.gz",
    expected=(
        Expected("T1w", people=228),
        Expected("T2w", people=226),
        Expected("FLAIR", people=227),
    ),
    find=by_name(
        anatomical("T1w", "T2w", "FLAIR", session="ses-01", needs_session=True),
    ),
    notes=(
        "Counts are those of OpenNeuro ds000221, session ses-01; the copy at ftp.gwdg.de "
        "(MRI_MPILMBB_LEMON/MRI_Raw) has the same names, and may hold a person fewer.",
        "The inversions of the MP2RAGE are left out: acq-mp2rage_T1w is made from them.",
        "FLAIR was 2-D in 110 people and 3-D in 117.",
    ),
)
"""The entry."""
