"""ABIDE I: T1-weighted scans of 1112 people with and without autism, from many sites."""

from __future__ import annotations

from isocenter.datasets.layouts._files import Rule, by_name, first_of
from isocenter.datasets.layouts._layout import Expected, Layout

__all__ = ["LAYOUT"]

LAYOUT = Layout(
    name="abide",
    title="ABIDE I",
    home="http://fcon_1000.projects.nitrc.org/indi/abide/abide_I.html",
    licence="CC BY-NC-SA 3.0",
    terms="Free for non-commercial research with attribution; NITRC asks for registration.",
    download=(
        "aws s3 sync --no-sign-request s3://fcp-indi/data/Projects/ABIDE/RawDataBIDS ABIDE"
        " --exclude '*' --include '*_T1w.nii.gz'",
    ),
    tree="""\
ABIDE/
  Caltech/
    sub-0051456/anat/sub-0051456_T1w.nii.gz ...
  CMU_a/ ...
or, as first released:
NYU/
  0050952/session_1/anat_1/mprage.nii.gz""",
    example="ABIDE/Caltech/sub-0051456/anat/sub-0051456_T1w.nii.gz",
    expected=(Expected("T1w", people=1112),),
    find=first_of(
        by_name(
            Rule(
                r"sub-(?P<person>\d{7})/(?:(?P<session>ses-\w+)/)?anat/"
                r"sub-(?P=person)(?:_[\w-]+)?_T1w\.nii\.gz",
                "T1w",
            )
        ),
        by_name(
            Rule(
                r"(?:[A-Za-z_0-9]+_)?(?P<person>\d{7})/(?P<session>session_\d)/anat_\d/"
                r"mprage\.nii\.gz",
                "T1w",
            )
        ),
    ),
    notes=(
        "The number of a person is unique over all sites; the folder above it is the site.",
        "1112 people took part; MRIQC's authors worked with 1102 T1w scans, so that a copy may "
        "be whole with ten people fewer.",
    ),
)
"""The entry."""
