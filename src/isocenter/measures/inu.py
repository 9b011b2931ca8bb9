"""INU: how unevenly the brain is lit."""

import numpy as np
import numpy.typing as npt

from isocenter.data.scores import Score
from isocenter.measures._anatomy import Anatomy
from isocenter.measures._scores import Definition, Kind, Unmeasurable, scores

__all__ = ["KINDS", "SOURCE", "VALIDATED", "inu"]

KINDS = {"inu_range": Kind(better="lower", low=0.0), "inu_med": Kind(low=0.0)}
SOURCE = "doi:10.1109/TMI.2010.2046908"
VALIDATED = "A field of known percentiles."


def inu(anatomy: Anatomy, *, definition: Definition) -> tuple[Score, ...]:
    """``inu_range``: P95 - P5 of the multiplicative shading in the brain; ``inu_med``: its median.

    Without unit.  All definitions agree.  MRIQC's shading is that of N4 (Tustison et al.,
    IEEE TMI 29(6), 2010, doi:10.1109/TMI.2010.2046908); here it is the one that the tissues
    were found under, with a geometric mean of 1 in the brain, so that ``inu_med`` says how
    skewed it is and not how bright the scan is.
    """
    del definition

    def spread() -> float:
        low, high = np.percentile(_field(anatomy), (5, 95))
        return float(high - low)

    return scores(
        KINDS, {"inu_range": spread, "inu_med": lambda: float(np.median(_field(anatomy)))}
    )


def _field(anatomy: Anatomy) -> npt.NDArray[np.float32]:
    brain = anatomy.need(anatomy.brain, "brain")
    inside = anatomy.need(anatomy.tissue, "tissue").field.numpy()[brain.numpy()]
    if np.all(inside == 1):
        raise Unmeasurable("the tissue maps came without a shading")
    return np.asarray(inside)
