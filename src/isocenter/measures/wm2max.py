"""WM2MAX: brightness of white matter over the brightest of the scan."""

import numpy as np

from isocenter.data.scores import Score
from isocenter.measures._anatomy import Anatomy
from isocenter.measures._scores import Definition, Kind, ratio, scores
from isocenter.measures._statistics import centre

__all__ = ["KINDS", "SOURCE", "VALIDATED", "wm2max"]

KINDS = {"wm2max": Kind(low=0.0)}
SOURCE = "https://mriqc.readthedocs.io/en/latest/iqms/t1w.html"
VALIDATED = "A head whose brightest voxels are known."

BRIGHTEST = 99.95
"""Percentile."""


def wm2max(anatomy: Anatomy, *, definition: Definition) -> tuple[Score, ...]:
    """``wm2max``: centre of white matter / 99.95th percentile of the harmonized image.

    Bright vessels and fat lower it; 0.6 to 0.8 is usual for T1-weighted scans; without unit.
    MRIQC, https://mriqc.readthedocs.io/en/latest/iqms/t1w.html.

    ``corrected``: the mean, as documented, and the percentile of what is not blank, so that
    padding changes nothing.  Both definitions of MRIQC: the median, and the percentile of
    all voxels.
    """

    def value() -> float:
        image = anatomy.need(anatomy.harmonized, "harmonized").numpy()
        counted = image[~anatomy.frame.numpy()] if definition == "corrected" else image
        brightest = float(np.percentile(counted, BRIGHTEST))
        return ratio(centre(anatomy, "wm", definition), brightest, lower_is="the brightest")

    return scores(KINDS, {"wm2max": value})
