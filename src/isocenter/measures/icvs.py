"""ICVs: parts of the intracranial volume."""

from functools import partial

import numpy as np

from isocenter.data.scores import Score
from isocenter.measures._anatomy import Anatomy
from isocenter.measures._scores import Definition, Kind, ratio, scores
from isocenter.measures._statistics import TISSUES, Part

__all__ = ["KINDS", "SOURCE", "VALIDATED", "icvs"]

KINDS = {f"icvs_{part}": Kind(low=0.0, high=1.0) for part in TISSUES}
SOURCE = "https://mriqc.readthedocs.io/en/latest/iqms/t1w.html"
VALIDATED = "Tissues of known volume."


def icvs(anatomy: Anatomy, *, definition: Definition) -> tuple[Score, ...]:
    """``icvs_csf``, ``icvs_gm``, ``icvs_wm``: sum of a tissue's probabilities over that of all.

    Between 0 and 1, sum 1, without unit; normal for the age or not, rather than good or bad.
    All definitions agree.  MRIQC, https://mriqc.readthedocs.io/en/latest/iqms/t1w.html.
    """
    del definition
    return scores(KINDS, {f"icvs_{part}": partial(_share, anatomy, part) for part in TISSUES})


def _share(anatomy: Anatomy, part: Part) -> float:
    maps = anatomy.need(anatomy.tissue, "tissue")
    volumes = {name: float(getattr(maps, name).numpy().sum(dtype=np.float64)) for name in TISSUES}
    return ratio(volumes[part], sum(volumes.values()), lower_is="the volume of the tissues")
