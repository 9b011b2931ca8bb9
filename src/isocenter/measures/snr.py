"""SNR: brightness of each tissue over its own spread."""

import math
from functools import partial
from statistics import fmean

from isocenter.data.scores import Score
from isocenter.measures._anatomy import Anatomy
from isocenter.measures._scores import Definition, Kind, ratio, scores
from isocenter.measures._statistics import NAMES, TISSUES, Part, centre, summary

__all__ = ["KINDS", "SOURCE", "VALIDATED", "snr"]

KINDS = {f"snr_{name}": Kind(better="higher", low=0.0) for name in (*TISSUES, "total")}
SOURCE = "https://mriqc.readthedocs.io/en/latest/iqms/t1w.html"
VALIDATED = "Normal tissues of known mean and deviation; ABIDE's table, from its own summaries."


def snr(anatomy: Anatomy, *, definition: Definition) -> tuple[Score, ...]:
    """``snr_csf``, ``snr_gm``, ``snr_wm``: centre / (sigma sqrt(n / (n - 1))); without unit.

    ``snr_total`` is their mean.  The spread of a tissue holds its anatomy and what shading is
    left, so these are no signal-to-noise ratio of the scanner.

    MRIQC, https://mriqc.readthedocs.io/en/latest/iqms/t1w.html, documents means:
    ``corrected`` takes them.  Both definitions of MRIQC take medians; the move from plain to
    weighted statistics changed the order of scans.
    """
    each = {f"snr_{part}": partial(_snr, anatomy, part, definition) for part in TISSUES}
    return scores(KINDS, {**each, "snr_total": lambda: fmean(find() for find in each.values())})


def _snr(anatomy: Anatomy, part: Part, definition: Definition) -> float:
    found = summary(anatomy, part, definition)
    sigma = found.stdv * math.sqrt(found.n / (found.n - 1))
    return ratio(centre(anatomy, part, definition), sigma, lower_is=f"the spread of {NAMES[part]}")
