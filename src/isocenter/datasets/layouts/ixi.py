"""IXI: T1-, T2- and PD-weighted scans of nearly 600 healthy people at three hospitals."""

from __future__ import annotations

from isocenter.datasets.layouts._files import Rule, by_name
from isocenter.datasets.layouts._layout import Expected, Layout

__all__ = ["LAYOUT"]

ADDRESS = "http://biomedic.doc.ic.ac.uk/brain-development/downloads/IXI"

LAYOUT = Layout(
    name="ixi",
    title="IXI",
    home="https://brain-development.org/ixi-dataset/",
    licence="CC BY-SA 3.0",
    terms="Free to use and change with attribution; what is made from it keeps the licence.",
    download=(
        f"wget {ADDRESS}/IXI-T1.tar {ADDRESS}/IXI-T2.tar",
        "mkdir IXI-T1 IXI-T2",
        "tar -xf IXI-T1.tar -C IXI-T1",
        "tar -xf IXI-T2.tar -C IXI-T2",
    ),
    tree="""\
IXI-T1/
  IXI002-Guys-0828-T1.nii.gz ...
IXI-T2/
  IXI002-Guys-0828-T2.nii.gz ...""",
    example="IXI-T1/IXI002-Guys-0828-T1.nii.gz",
    expected=(
        Expected("T1w", people=581, images=581, crop=(256, 256, 130)),
        Expected("T2w", people=578, images=578, crop=(256, 256, 120)),
    ),
    find=by_name(Rule(r"(?P<person>IXI\d{3})-[A-Za-z]+-\d{4}-(?P<contrast>T1|T2|PD)\.nii\.gz")),
    notes=(
        "The middle of a name is the hospital (Guys, HH or IOP) and a number.",
        "PD-weighted scans (IXI-PD.tar) are indexed where they are, and not asked for.",
        "Angiograms (MRA) and diffusion (DTI) are left out.",
    ),
)
"""The entry."""
