"""CNR: contrast of white and grey matter over the noise."""

import math

from isocenter.data.scores import Score
from isocenter.measures._anatomy import Anatomy
from isocenter.measures._scores import Definition, Kind, ratio, scores
from isocenter.measures._statistics import centre, summary

__all__ = ["KINDS", "SOURCE", "VALIDATED", "cnr"]

KINDS = {"cnr": Kind(better="higher", low=0.0)}
SOURCE = "doi:10.1007/s10278-006-0264-x"
VALIDATED = "Normal tissues of known mean and deviation; ABIDE's table, from its own summaries."


def cnr(anatomy: Anatomy, *, definition: Definition) -> tuple[Score, ...]:
    """``cnr``: |centre of WM - centre of GM| / sqrt(var air + var WM + var GM), without unit.

    Magnotta and Friedman, Journal of Digital Imaging 19(2), 2006,
    doi:10.1007/s10278-006-0264-x, with the spread of both tissues in the noise, as MRIQC
    documents it.

    ``corrected`` takes means, both definitions of MRIQC medians; all take variances.
    """

    def value() -> float:
        apart = abs(centre(anatomy, "wm", definition) - centre(anatomy, "gm", definition))
        noise = math.hypot(
            *(summary(anatomy, part, definition).stdv for part in ("bg", "wm", "gm"))
        )
        return ratio(apart, noise, lower_is="the spread of air and tissues")

    return scores(KINDS, {"cnr": value})
