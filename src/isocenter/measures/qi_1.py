"""QI1: part of the air above the face that holds structure."""

from isocenter.data.scores import Score
from isocenter.measures._anatomy import Anatomy
from isocenter.measures._scores import Definition, Kind, ratio, scores

__all__ = ["KINDS", "SOURCE", "VALIDATED", "qi_1"]

KINDS = {"qi_1": Kind(better="lower", low=0.0, high=1.0)}
SOURCE = "doi:10.1002/mrm.21992"
VALIDATED = "Noise with a block of known size in it."


def qi_1(anatomy: Anatomy, *, definition: Definition) -> tuple[Score, ...]:
    """``qi_1``: structured voxels / all voxels of the hat, 0 to 1, without unit.

    Mortamet et al., MRM 62(2), 2009, doi:10.1002/mrm.21992: the hat is the air above the
    plane through glabella and inion, structure what is more than ten standard deviations
    above its median, not next to the head, and not single voxels.  Of the image as read.

    All definitions agree; in ``corrected`` zeros of the hat do not count as air.
    """

    def value() -> float:
        odd = anatomy.need(anatomy.structured, "structured")
        hat = anatomy.need(anatomy.hat, "hat")
        counted = hat & (anatomy.image > 0) if definition == "corrected" else hat
        return ratio(
            int(odd.count_nonzero()),
            int(counted.count_nonzero()),
            lower_is="the air above the face",
        )

    return scores(KINDS, {"qi_1": value})
