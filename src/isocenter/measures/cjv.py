"""CJV: coefficient of joint variation of grey and white matter."""

from isocenter.data.scores import Score
from isocenter.measures._anatomy import Anatomy
from isocenter.measures._scores import Definition, Kind, ratio, scores
from isocenter.measures._statistics import centre, spread

__all__ = ["KINDS", "SOURCE", "VALIDATED", "cjv"]

KINDS = {"cjv": Kind(better="lower", low=0.0)}
SOURCE = "doi:10.3389/fninf.2016.00010"
VALIDATED = "Normal tissues of known mean and deviation; ABIDE's table, from its own summaries."


def cjv(anatomy: Anatomy, *, definition: Definition) -> tuple[Score, ...]:
    """``cjv``: (spread of WM + spread of GM) / |centre of WM - centre of GM|, without unit.

    Ganzetti et al., Frontiers in Neuroinformatics 10:10, 2016, doi:10.3389/fninf.2016.00010.
    Heavy motion and strong shading raise it.

    ``corrected`` takes standard deviations and means, as the paper does; both definitions of
    MRIQC take MADs and medians, ``mriqc-24`` weighted by probability and ``mriqc-0.15`` not.
    """

    def value() -> float:
        wide = spread(anatomy, "wm", definition) + spread(anatomy, "gm", definition)
        apart = abs(centre(anatomy, "wm", definition) - centre(anatomy, "gm", definition))
        return ratio(wide, apart, lower_is="the difference of white and grey matter")

    return scores(KINDS, {"cjv": value})
