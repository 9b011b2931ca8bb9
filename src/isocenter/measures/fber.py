"""FBER: energy of the head over energy of what surrounds it."""

import numpy as np

from isocenter.data.scores import Score
from isocenter.data.shapes import Image3, Mask3
from isocenter.measures._anatomy import Anatomy
from isocenter.measures._scores import Definition, Kind, ratio, scores

__all__ = ["KINDS", "SOURCE", "VALIDATED", "fber"]

KINDS = {"fber": Kind(better="higher", low=0.0)}
SOURCE = "doi:10.3389/conf.fnins.2015.91.00047"
VALIDATED = "A head and a background of known energies."

LEAST_ENERGY = 1e-3
"""Median energy below which MRIQC calls the background empty."""


def fber(anatomy: Anatomy, *, definition: Definition) -> tuple[Score, ...]:
    """``fber``: typical x^2 in the head / typical x^2 outside head and blank frame; no unit.

    Shehzad et al., Frontiers in Neuroscience (conference abstract), 2015,
    doi:10.3389/conf.fnins.2015.91.00047.

    ``corrected``: means, as the source says, of the image as read; zeros of the background
    dropped.  Both definitions of MRIQC: medians, of the harmonized image; missing where
    MRIQC gives -1.
    """
    take = _means if definition == "corrected" else _medians
    return scores(KINDS, {"fber": lambda: take(anatomy)})


def _means(anatomy: Anatomy) -> float:
    head = anatomy.need(anatomy.head, "head")
    outside = anatomy.need(anatomy.background, "background") & (anatomy.image > 0)
    return ratio(
        _mean_energy(anatomy.image, head),
        _mean_energy(anatomy.image, outside),
        lower_is="the energy of the background",
    )


def _medians(anatomy: Anatomy) -> float:
    head = anatomy.need(anatomy.head, "head")
    outside = anatomy.need(anatomy.background, "background")
    image = anatomy.need(anatomy.harmonized, "harmonized")
    energy = _median_energy(image, outside)
    return ratio(
        _median_energy(image, head),
        energy if energy >= LEAST_ENERGY else 0.0,
        lower_is="the median energy of the background",
    )


def _mean_energy(image: Image3, where: Mask3) -> float:
    return float(np.square(image.numpy()[where.numpy()], dtype=np.float64).mean())


def _median_energy(image: Image3, where: Mask3) -> float:
    return float(np.median(image.numpy()[where.numpy()])) ** 2
