"""SNRd: brightness of each tissue over the noise of the air (Dietrich's SNR)."""

import math
from functools import partial
from statistics import fmean

from isocenter.data.scores import Score
from isocenter.measures._anatomy import Anatomy
from isocenter.measures._scores import Definition, Kind, ratio, scores
from isocenter.measures._statistics import TISSUES, Part, Summary, centre, summary

__all__ = ["KINDS", "SOURCE", "VALIDATED", "snrd"]

KINDS = {f"snrd_{name}": Kind(better="higher", low=0.0) for name in (*TISSUES, "total")}
SOURCE = "doi:10.1002/jmri.20969"
VALIDATED = "Rayleigh noise of known sigma; ABIDE's table, from its own summaries."

RAYLEIGH = math.sqrt((4 - math.pi) / 2)
"""Standard deviation of Rayleigh noise over the sigma of its two normal parts, 0.6551364."""


def snrd(anatomy: Anatomy, *, definition: Definition) -> tuple[Score, ...]:
    """``snrd_csf``, ``snrd_gm``, ``snrd_wm``: 0.6551364 centre / noise of the air; no unit.

    ``snrd_total`` is their mean.  Dietrich et al., JMRI 26(2), 2007, doi:10.1002/jmri.20969,
    equation A.12: the noise in the air of one coil is Rayleigh distributed.

    ``corrected``: mean over the standard deviation of the air, zeros dropped.  Both
    definitions of MRIQC: median over the MAD of the air where that is above 1 (of white
    matter's 1000), else over its standard deviation; missing where MRIQC gives -1.
    """
    each = {f"snrd_{part}": partial(_snrd, anatomy, part, definition) for part in TISSUES}
    return scores(KINDS, {**each, "snrd_total": lambda: fmean(find() for find in each.values())})


def _snrd(anatomy: Anatomy, part: Part, definition: Definition) -> float:
    air = summary(anatomy, "bg", definition)
    noise = air.stdv if definition == "corrected" else _noise_of_mriqc(air)
    return ratio(
        RAYLEIGH * centre(anatomy, part, definition), noise, lower_is="the noise of the air"
    )


def _noise_of_mriqc(air: Summary) -> float:
    if air.mad > 1.0:
        return air.mad
    return air.stdv if air.stdv > 1e-3 else 0.0
