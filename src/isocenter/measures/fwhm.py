"""FWHM: smoothness of the brain, as the width of a Gaussian blur."""

import math
from functools import partial
from statistics import fmean

import numpy as np
import numpy.typing as npt
import torch

from isocenter.data.scores import Score
from isocenter.data.shapes import Image3, Mask3
from isocenter.measures._anatomy import Anatomy
from isocenter.measures._scores import Definition, Kind, Unmeasurable, scores

__all__ = ["KINDS", "SOURCE", "VALIDATED", "fwhm"]

AXES = ("x", "y", "z")
KINDS = {
    f"fwhm_{name}": Kind(unit="voxels", better="lower", low=0.0) for name in (*AXES, "avg")
}
SOURCE = "doi:10.1002/mrm.1910330508"
VALIDATED = "White noise blurred by a Gaussian of known width."

PER_SIGMA = math.sqrt(8 * math.log(2))
"""Full width at half maximum of a Gaussian over its standard deviation, 2.3548."""
FEWEST_PAIRS = 100
N_TREND = 20000
"""Voxels that a trend is fitted to, evenly taken; ten numbers need no more."""

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
        f"fwhm_{name}": partial(_width, anatomy, axis, definition)
        for axis, name in enumerate(AXES)
    }
    return scores(KINDS, {**each, "fwhm_avg": lambda: fmean(find() for find in each.values())})


def _width(anatomy: Anatomy, axis: int, definition: Definition) -> float:
    brain, image = anatomy.once(("fwhm", definition), lambda: _boxed(anatomy, definition))
    side = brain.shape[axis]
    if side < 2:
        raise Unmeasurable(f"the brain is one voxel wide along {AXES[axis]}")
    both = brain.narrow(axis, 1, side - 1) & brain.narrow(axis, 0, side - 1)
    steps = (image.narrow(axis, 1, side - 1) - image.narrow(axis, 0, side - 1))[both].double()
    if steps.numel() < FEWEST_PAIRS:
        raise Unmeasurable(f"the brain holds {steps.numel()} neighbours, {FEWEST_PAIRS} are needed")
    variance = float(image[brain].double().var())
    alike = 1 - float(steps.var()) / (2 * variance) if variance > 0 else 1.0
    if not 0 < alike < 1:
        raise Unmeasurable(f"neighbours along {AXES[axis]} are not alike: there is no smoothness")
    return PER_SIGMA * math.sqrt(-1 / (4 * math.log(alike)))


def _boxed(anatomy: Anatomy, definition: Definition) -> tuple[Mask3, Image3]:
    """Brain and image, cut to the brain's box."""
    brain = anatomy.need(anatomy.brain, "brain")
    if int(brain.sum()) < FEWEST_PAIRS:
        raise Unmeasurable("the brain is nearly empty")
    at = brain.nonzero()
    low, high = at.amin(0).tolist(), (at.amax(0) + 1).tolist()
    box = tuple(slice(first, last) for first, last in zip(low, high, strict=True))
    image = anatomy.image[box]
    if definition == "corrected":
        image = image - _trend(image, brain[box])
    return brain[box], image


def _trend(image: Image3, inside: Mask3) -> Image3:
    """Quadratic polynomial of position, by least squares inside."""
    at = inside.nonzero().numpy()
    at = at[:: max(1, len(at) // N_TREND)]
    values = image.numpy()[tuple(at.T)].astype(np.float64)
    terms = np.stack([np.broadcast_to(t, len(at)) for t in _terms(*(at / image.shape).T)], 1)
    factors, *_ = np.linalg.lstsq(terms, values, rcond=None)
    grid = np.ogrid[tuple(slice(side) for side in image.shape)]
    x, y, z = (place / side for place, side in zip(grid, image.shape, strict=True))
    total = sum(factor * term for factor, term in zip(factors, _terms(x, y, z), strict=True))
    return torch.from_numpy(np.asarray(total, np.float32))


def _terms(x: Places, y: Places, z: Places) -> list[Places]:
    return [x**0, x, y, z, x * x, y * y, z * z, x * y, x * z, y * z]
