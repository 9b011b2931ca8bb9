"""Any BIDS data set: its T1w, T2w, FLAIR and PDw scans."""

from __future__ import annotations

from isocenter.datasets.layouts._bids import anatomical
from isocenter.datasets.layouts._files import by_name
from isocenter.datasets.layouts._layout import Layout

__all__ = ["LAYOUT"]

LAYOUT = Layout(
    name="bids",
    title="a BIDS data set",
    home="https://bids.neuroimaging.io",
    licence="its own",
    terms="What dataset_description.json and the README of the data set say.",
    download=("aws s3 sync --no-sign-request s3://openneuro.org/dsNNNNNN dsNNNNNN",),
    tree="""\
dataset_description.json
sub-01/
  anat/
    sub-01_T1w.nii.gz
sub-02/
  ses-01/              with sessions, and any entities
    anat/
      sub-02_ses-01_acq-space_run-1_T2w.nii.gz
derivatives/           passed over""",
    example="sub-01/anat/sub-01_T1w.nii.gz",
    expected=(),
    find=by_name(anatomical("T1w", "T2w", "FLAIR", "PDw")),
    notes=(
        "derivatives/ and sourcedata/ are passed over; give such a folder itself to look into it.",
        "Any number of people and scans is complete: only broken and half files are told.",
    ),
)
"""The entry."""
