"""Summary statistics of air and tissues."""

from functools import partial

from isocenter.data.scores import Score
from isocenter.measures._anatomy import Anatomy
from isocenter.measures._scores import Definition, Kind, scores
from isocenter.measures._statistics import PARTS, Part, Summary
from isocenter.measures._statistics import summary as statistics

__all__ = ["KINDS", "SOURCE", "VALIDATED", "summary"]

BRIGHTNESS = Kind(unit="WM/1000", low=0.0)
KINDS_OF = {
    **dict.fromkeys(("mean", "median", "stdv", "mad", "p05", "p95"), BRIGHTNESS),
    "k": Kind(low=-2.0),
    "n": Kind(unit="voxels", low=0.0),
}
KINDS = {f"summary_{part}_{name}": kind for part in PARTS for name, kind in KINDS_OF.items()}
SOURCE = "https://mriqc.readthedocs.io/en/latest/iqms/t1w.html"
VALIDATED = "Normal tissues of known mean and deviation; statistics of numpy and scipy."


def summary(anatomy: Anatomy, *, definition: Definition) -> tuple[Score, ...]:
    """``summary_{bg,csf,gm,wm}_{mean,median,stdv,mad,k,p05,p95,n}`` of the harmonized image.

    Brightness is in thousandths of the median of white matter; ``mad`` is the median absolute
    deviation over 0.6745, ``k`` the excess kurtosis, ``n`` the number of voxels (of
    probabilities, their sum).  ``bg`` is the air above the face without structure.  MRIQC,
    https://mriqc.readthedocs.io/en/latest/iqms/t1w.html.

    ``mriqc-24`` weights by probability; ``mriqc-0.15`` takes voxels of a probability above
    0.85, eroded in fine scans; ``corrected`` does too, but keeps thin tissues whole and drops
    zeros of the air.  Missing where MRIQC writes 0 for an empty background.
    """

    def of(part: Part, name: str) -> float:
        found: Summary = statistics(anatomy, part, definition)
        return float(getattr(found, name))

    return scores(
        KINDS,
        {f"summary_{part}_{name}": partial(of, part, name) for part in PARTS for name in KINDS_OF},
    )
