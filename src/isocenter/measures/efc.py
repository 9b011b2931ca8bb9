"""EFC: entropy focus criterion."""

import math

import numpy as np
import numpy.typing as npt

from isocenter.data.scores import Score
from isocenter.measures._anatomy import Anatomy
from isocenter.measures._scores import Definition, Kind, Unmeasurable, scores

__all__ = ["KINDS", "SOURCE", "VALIDATED", "efc"]

KINDS = {"efc": Kind(better="lower", low=0.0, high=1.0)}
SOURCE = "doi:10.1109/42.650886"
VALIDATED = "Its extremes: one bright voxel 0, all voxels alike 1."


def efc(anatomy: Anatomy, *, definition: Definition) -> tuple[Score, ...]:
    """``efc``: E / (sqrt(N) ln sqrt(N)), E = -sum(x / b ln(x / b)), b = sqrt(sum x^2).

    0 for all energy in one voxel, 1 for voxels that are all alike; ghosts and blur raise it;
    without unit.  Atkinson et al., IEEE TMI 16(6), 1997, doi:10.1109/42.650886.  The blank
    frame is left out.  (MRIQC's page prints the normalisation upside down.)

    ``corrected`` takes the image as read, nothing below 0, and so needs no tissue; both
    definitions of MRIQC take the harmonized image.
    """

    def value() -> float:
        harmonized = definition != "corrected"
        image = anatomy.need(anatomy.harmonized, "harmonized") if harmonized else anatomy.image
        return _efc(image.numpy()[~anatomy.frame.numpy()])

    return scores(KINDS, {"efc": value})


def _efc(values: npt.NDArray[np.float32]) -> float:
    positive = values[values > 0]
    energy = math.sqrt(np.square(positive, dtype=np.float64).sum())
    if values.size < 2 or energy == 0:
        raise Unmeasurable("the image is blank: it has no energy")
    share = positive / np.float32(energy)
    entropy = -float((share * np.log(share)).sum(dtype=np.float64))
    largest = math.sqrt(values.size) * math.log(math.sqrt(values.size))
    return min(max(entropy / largest, 0.0), 1.0)
