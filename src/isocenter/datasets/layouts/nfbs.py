"""NFBS: T1-weighted scans of 125 adults, defaced, with brains cut out by hand."""

from __future__ import annotations

from isocenter.datasets.layouts._files import Rule, by_name, first_of
from isocenter.datasets.layouts._layout import Expected, Layout

__all__ = ["LAYOUT"]

LIBRARY = by_name(Rule(r"(?:library_)?NFBS/stx/1mm/(?P<person>[^/]+)\.mnc", "T1w"))
IMAGES = by_name(
    Rule(r"(?P<person>A\d{8})/sub-A\d{8}_ses-(?P<session>NFB\d)_T1w\.nii\.gz", "T1w"),
)

LAYOUT = Layout(
    name="nfbs",
    title="NFBS",
    home="http://preprocessed-connectomes-project.org/NFB_skullstripped/",
    licence="not stated on its page",
    terms="Open to download without an account; its page asks for the paper to be cited.",
    download=(
        "wget https://fcp-indi.s3.amazonaws.com/data/Projects/RocklandSample/NFBS_BEaST_Library.tar",
        "tar -xf NFBS_BEaST_Library.tar",
    ),
    tree="""\
library_NFBS/
  NFBS/
    stx/1mm/*.mnc      one scan of each person
    masks/1mm/*.mnc
or, from NFBS_Dataset.tar.gz at the same address:
NFBS_Dataset/
  A00028185/
    sub-A00028185_ses-NFB3_T1w.nii.gz
    sub-A00028185_ses-NFB3_T1w_brain.nii.gz
    sub-A00028185_ses-NFB3_T1w_brainmask.nii.gz""",
    example="NFBS_Dataset/A00028185/sub-A00028185_ses-NFB3_T1w.nii.gz",
    expected=(Expected("T1w", people=125, images=125, crop=(193, 229, 193)),),
    find=first_of(LIBRARY, IMAGES),
    notes=(
        "Of the two releases of the same scans, the BEaST library (MINC) counts where both are "
        "there: the HSFNet benchmark was made from it.",
        "What the MINC files are called could not be verified: every .mnc in stx/1mm is taken, "
        "its name without the ending as the person.",
    ),
)
"""The entry."""
