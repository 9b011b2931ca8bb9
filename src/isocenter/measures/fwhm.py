"""FWHM: smoothness of the brain, as the width of a Gaussian blur."""

import math
from functools import partial
from statistics import fmean

import numpy as np
import numpy.typing as npt
import scipy.ndimage

from isocenter.data.scores import Score
from isocenter.measures._anatomy import Anatomy
from isocenter.measures._scores import Definition, Kind, Unmeasurable, scores

__all__ = ["KINDS", "SOURCE", "VALIDATED", "fwhm"]

AXES = ("x", "y", "z")
KINDS = {f"fwhm_{name}": Kind(unit="voxels", better="lower", low=0.0) for name in (*AXES, "avg")}
SOURCE = "doi:10.1002/mrm.1910330508"
VALIDATED = "White noise blurred by a Gaussian of known width."

PER_SIGMA = math.sqrt(8 * math.log(2))
"""Full width at half maximum of a Gaussian over its standard deviation, 2.3548."""
FEWEST_PAIRS = 100
N_TREND = 20000
"""Voxels that a trend is fitted to, evenly taken; ten numbers need no more."""

Values = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.float64]


def fwhm(anatomy: Anatomy, *, definition: Definition) -> tuple[Score, ...]:
    """``fwhm_x``, ``fwhm_y``, ``fwhm_z``: 2.3548 sqrt(-1 / (4 ln(1 - var(d) / (2 var(v))))).

    ``v`` are the values in the brain of the image as read, ``d`` the differences of
    neighbours along the axis; in voxels.  ``fwhm_avg`` is their mean.  Forman et al., MRM
    33(5), 1995, doi:10.1002/mrm.1910330508, as in the classic mode of AFNI's 3dFWHMx.

    ``corrected`` first takes off a quadratic trend, so that shading is not taken for
    smoothness.  Both definitions of MRIQC take off the mean alone: AFNI's detrending, which
    MRIQC asks for, acts along time, and a scan is one point in time.
    """
    each = {
        f"fwhm_{name}": partial(_width, anatomy, axis, definition) for axis, name in enumerate(AXES)
    }
    return scores(KINDS, {**each, "fwhm_avg": lambda: fmean(find() for find in each.values())})


def _width(anatomy: Anatomy, axis: int, definition: Definition) -> float:
    brain, image = anatomy.once(("fwhm", definition), lambda: _boxed(anatomy, definition))
    along, values = np.moveaxis(brain, axis, 0), np.moveaxis(image, axis, 0)
    steps = np.diff(values, axis=0)[along[1:] & along[:-1]]
    if steps.size < FEWEST_PAIRS:
        raise Unmeasurable(
            f"the brain holds {steps.size} neighbours along {AXES[axis]}, {FEWEST_PAIRS} are needed"
        )
    variance = float(image[brain].var(dtype=np.float64))
    alike = 1 - float(steps.var(dtype=np.float64)) / (2 * variance) if variance > 0 else 1.0
    if not 0 < alike < 1:
        raise Unmeasurable(f"neighbours along {AXES[axis]} are not alike: there is no smoothness")
    return PER_SIGMA * math.sqrt(-1 / (4 * math.log(alike)))


def _boxed(anatomy: Anatomy, definition: Definition) -> tuple[Mask, Values]:
    """Brain and image, cut to the brain's box."""
    brain = anatomy.need(anatomy.brain, "brain").numpy()
    if not brain.any():
        raise Unmeasurable("the brain is empty")
    (box,) = scipy.ndimage.find_objects(brain.view(np.uint8))
    inside, image = brain[box], anatomy.image.numpy()[box]
    return inside, image - _trend(image, inside) if definition == "corrected" else image


def _trend(image: Values, inside: Mask) -> Values:
    """Quadratic polynomial of position, by least squares inside."""
    at = np.argwhere(inside)
    at = at[:: max(1, len(at) // N_TREND)]
    terms = np.stack([np.broadcast_to(t, len(at)) for t in _terms(*(at / image.shape).T)], 1)
    factors, *_ = np.linalg.lstsq(terms, image[tuple(at.T)].astype(np.float64), rcond=None)
    x, y, z = (
        place / side
        for place, side in zip(np.ogrid[tuple(map(slice, image.shape))], image.shape, strict=True)
    )
    total = np.zeros(image.shape)
    for factor, term in zip(factors, _terms(x, y, z), strict=True):
        total += factor * term
    return total.astype(np.float32)


def _terms(x: Places, y: Places, z: Places) -> list[Places]:
    return [x**0, x, y, z, x * x, y * y, z * z, x * y, x * z, y * z]
