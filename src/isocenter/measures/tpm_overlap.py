"""TPM overlap: how well the tissues agree with those of a template."""

from functools import partial

import torch

from isocenter.data.scores import Score
from isocenter.measures._anatomy import Anatomy
from isocenter.measures._scores import Definition, Kind, ratio, scores
from isocenter.measures._statistics import TISSUES

__all__ = ["KINDS", "SOURCE", "VALIDATED", "tpm_overlap"]

KINDS = {f"tpm_overlap_{part}": Kind(better="higher", low=0.0, high=1.0) for part in TISSUES}
SOURCE = "https://mriqc.readthedocs.io/en/latest/iqms/t1w.html"
VALIDATED = "Its extremes, and boxes that overlap by a known part."


def tpm_overlap(anatomy: Anatomy, *, definition: Definition) -> tuple[Score, ...]:
    """``tpm_overlap_csf``, ``_gm``, ``_wm``: sum(min(p, q)) / sum(max(p, q)), without unit.

    The fuzzy Jaccard index of the scan's tissues ``p`` and those of a template ``q``, on one
    grid; 0 to 1.  All definitions agree.  MRIQC,
    https://mriqc.readthedocs.io/en/latest/iqms/t1w.html, with the tissues of
    MNI152NLin2009cAsym.  Missing where no template is given.
    """
    del definition
    return scores(
        KINDS,
        {
            f"tpm_overlap_{part}": partial(_overlap, anatomy, index)
            for index, part in enumerate(TISSUES)
        },
    )


def _overlap(anatomy: Anatomy, index: int) -> float:
    theirs = anatomy.need(anatomy.template, "template")[index]
    ours = anatomy.need(anatomy.tissue, "tissue")[index]
    shared = torch.minimum(ours, theirs).double().sum()
    either = torch.maximum(ours, theirs).double().sum()
    return ratio(float(shared), float(either), lower_is="the volume of the tissue")
