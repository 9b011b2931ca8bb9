"""The sample scan that ships with the package.

One adult's T1-weighted head scan at 3 T, brain only (skull-stripped by the source),
0.87 x 0.87 x 1 mm, int16 from 0 to 4095, padded with zeros to a modest field of view.

Licence: CC0 1.0. Provenance: person ``sub-67`` of OpenNeuro data set ds002748, as
redistributed by the repository aaronsossin/DepressionMRI_AI; padded by
``tools/make_sample.py``. See ``SOURCES.md`` beside this file.

``sub-67`` is a test person of the shipped network: nothing was trained or selected on it.
"""

from __future__ import annotations

from pathlib import Path

from isocenter.errors import ResourceError

__all__ = ["path"]

NAME = "sample_T1w.nii.gz"


def path() -> Path:
    """Where the sample scan lies: a gzipped NIfTI-1 file, axes left-anterior-superior.

    Raises:
        ResourceError: The installation is incomplete.
    """
    place = Path(__file__).with_name(NAME)
    if not place.is_file():
        raise ResourceError(f"the sample scan {NAME} is not installed; install isocenter again")
    return place
