"""OASIS-1: T1-weighted scans of 416 adults, each taken three or four times in a visit."""

from __future__ import annotations

from isocenter.datasets.layouts._files import Rule, by_name
from isocenter.datasets.layouts._layout import Expected, Layout

__all__ = ["LAYOUT"]

LAYOUT = Layout(
    name="oasis",
    title="OASIS-1",
    home="https://sites.wustl.edu/oasisbrains/home/oasis-1/",
    licence="data use agreement",
    terms="Free after accepting the data use agreement on its page.",
    download=(
        "for n in $(seq 12); do"
        " wget https://download.nrg.wustl.edu/data/oasis_cross-sectional_disc$n.tar.gz; done",
        "for f in oasis_cross-sectional_disc*.tar.gz; do tar -xzf $f; done",
    ),
    tree="""\
disc1/
  OAS1_0001_MR1/
    RAW/
      OAS1_0001_MR1_mpr-1_anon.hdr
      OAS1_0001_MR1_mpr-1_anon.img
      OAS1_0001_MR1_mpr-2_anon.hdr ...
disc2/ ... disc12/""",
    example="disc1/OAS1_0001_MR1/RAW/OAS1_0001_MR1_mpr-1_anon.hdr",
    expected=(Expected("T1w", people=416, images=1688, per_person=3, crop=(256, 256, 128)),),
    find=by_name(
        Rule(
            r"(?P<person>OAS1_\d{4})_(?P<session>MR\d)/RAW/OAS1_\d{4}_MR\d_mpr-\d_anon\.hdr",
            "T1w",
        )
    ),
    notes=(
        "MR2 is a second visit of the 20 people of the reliability set; it counts as a session.",
        "PROCESSED/ and FSL_SEG/, made from these scans, are left out.",
    ),
)
"""The entry."""
