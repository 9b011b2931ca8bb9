"""What a file's name says: its stem and its contrast."""

from __future__ import annotations

import re

__all__ = ["contrast_of"]

_CONTRASTS = {
    "flair": "FLAIR",
    "mprage": "T1w",
    "pd": "PDw",
    "pdw": "PDw",
    "t1": "T1w",
    "t1c": "T1w",
    "t1w": "T1w",
    "t2": "T2w",
    "t2w": "T2w",
}


def contrast_of(name: str) -> str | None:
    """Contrast that the words of a file name agree on, as BIDS suffixes do; else ``None``.

    >>> contrast_of("sub-01_T1w.nii.gz"), contrast_of("t2_flair.nii"), contrast_of("a_T2star.nii")
    ('T1w', 'FLAIR', None)
    """
    words = re.split(r"[_.\-\s]+", name.lower())
    said = {_CONTRASTS[word] for word in words if word in _CONTRASTS}
    if "FLAIR" in said:  # a FLAIR is often named by its weighting too
        return "FLAIR"
    return said.pop() if len(said) == 1 else None
