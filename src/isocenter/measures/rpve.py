"""rPVE: how much of a tissue lies in voxels that it shares with another."""

from functools import partial

import numpy as np
import numpy.typing as npt

from isocenter.data.scores import Score
from isocenter.measures._anatomy import Anatomy
from isocenter.measures._scores import Definition, Kind, Unmeasurable, scores
from isocenter.measures._statistics import NAMES, TISSUES, Part

__all__ = ["KINDS", "SOURCE", "VALIDATED", "rpve"]

KINDS = {f"rpve_{part}": Kind(better="lower", low=0.0) for part in TISSUES}
SOURCE = "https://mriqc.readthedocs.io/en/latest/iqms/t1w.html"
VALIDATED = "Maps of known sums."

Shares = npt.NDArray[np.float64]


def rpve(anatomy: Anatomy, *, definition: Definition) -> tuple[Score, ...]:
    """``rpve_csf``, ``rpve_gm``, ``rpve_wm``: residual partial voluming; without unit.

    MRIQC, https://mriqc.readthedocs.io/en/latest/iqms/t1w.html, describes in words the part
    of a tissue that lies in partly filled voxels, and ``corrected`` is that:
    sum(p, 0.05 <= p <= 0.95) / sum(p), between 0 (every voxel is of one tissue) and 1.

    Both definitions of MRIQC do what its code does: p outside [P2, P98] of its positive
    values becomes 0, then (sum(p, p > 0.5) + sum(1 - p, p <= 0.5)) / N with N positive p.
    Every voxel of the whole image that is 0 then adds 1, so the value counts background and
    goes far above 1 (github.com/nipreps/mriqc/issues/910).
    """
    take = _partly_filled if definition == "corrected" else _as_in_mriqc
    return scores(KINDS, {f"rpve_{part}": partial(take, anatomy, part) for part in TISSUES})


def _partly_filled(anatomy: Anatomy, part: Part) -> float:
    shares, _ = _positive(anatomy, part)
    shared = shares[(shares >= 0.05) & (shares <= 0.95)]
    return float(shared.sum() / shares.sum())


def _as_in_mriqc(anatomy: Anatomy, part: Part) -> float:
    shares, n_voxels = _positive(anatomy, part)
    low, high = np.percentile(shares, (2, 98))
    kept = shares[(shares >= low) & (shares <= high)]
    n_zero = n_voxels - kept.size
    mostly = kept > 0.5
    return float((kept[mostly].sum() + (1 - kept[~mostly]).sum() + n_zero) / shares.size)


def _positive(anatomy: Anatomy, part: Part) -> tuple[Shares, int]:
    """The tissue's probabilities where there are any, and the number of voxels of the image."""
    share = getattr(anatomy.need(anatomy.tissue, "tissue"), part).numpy()
    positive = share[share > 0].astype(np.float64)
    if not positive.size:
        raise Unmeasurable(f"there is no {NAMES[part]}")
    return positive, share.size
