"""HCP Young Adult (S1200): T1- and T2-weighted scans at 0.7 mm of 1113 young adults."""

from __future__ import annotations

from isocenter.datasets.layouts._files import Rule, by_name, first_of
from isocenter.datasets.layouts._layout import Expected, Layout

__all__ = ["LAYOUT"]

RESTORED = by_name(
    Rule(r"(?P<person>\d{6})/T1w/(?P<contrast>T1w|T2w)_acpc_dc_restore\.nii\.gz"),
)
UNPROCESSED = by_name(
    Rule(
        r"(?P<person>\d{6})/unprocessed/3T/(?P<session>(?P<contrast>T1w|T2w)_(?:MPR|SPC)\d)/"
        r"(?P=person)_3T_(?P=session)\.nii\.gz"
    ),
)

LAYOUT = Layout(
    name="hcp",
    title="HCP Young Adult (S1200)",
    home="https://www.humanconnectome.org/study/hcp-young-adult",
    licence="WU-Minn HCP Open Access Data Use Terms",
    terms="Free with an account that accepts the terms, which also bind what is made from it.",
    download=(
        "aws configure --profile hcp      # keys from https://db.humanconnectome.org",
        "aws s3 sync --profile hcp s3://hcp-openaccess/HCP_1200 HCP_1200"
        " --exclude '*' --include '*/T1w/T?w_acpc_dc_restore.nii.gz'",
    ),
    tree="""\
HCP_1200/
  100206/
    T1w/T1w_acpc_dc_restore.nii.gz
    T1w/T2w_acpc_dc_restore.nii.gz
or, as scanned:
  100206/
    unprocessed/3T/T1w_MPR1/100206_3T_T1w_MPR1.nii.gz
    unprocessed/3T/T2w_SPC1/100206_3T_T2w_SPC1.nii.gz""",
    example="HCP_1200/100206/T1w/T1w_acpc_dc_restore.nii.gz",
    expected=(Expected("T1w", people=1113), Expected("T2w")),
    find=first_of(RESTORED, UNPROCESSED),
    notes=(
        "Restored scans, which were averaged, aligned and corrected for shading, count where "
        "both kinds are there.",
        "1113 people have structural scans; how many of them have a T2w could not be verified.",
        "Many people are twins or siblings: the restricted table says which.",
    ),
)
"""The entry."""
