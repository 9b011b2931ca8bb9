"""MDSI: mean deviation of the similarity of gradients."""

import math

import torch
from torch import Tensor

from isocenter.metrics._grey import average_down, score_grey, similarity_of_squares
from isocenter.ops.gradients import PREWITT, gradients

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "mdsi",
]

BETTER, RANGE, UNIT = "lower", (0.0, 1.0), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 8, (2,), False
SOURCE = "doi:10.1109/ACCESS.2016.2604042"
VALIDATED = "piq 0.8 with its colour term switched off, which agrees with the authors' MATLAB code."

C1, C2 = 140.0, 55.0
ALPHA = 0.6
"""Share of the gradients in the sum; the rest is the share of the colours."""
POWER = 0.25
GREY_LUMINANCE = 0.2989 + 0.5870 + 0.1140
"""The published luminance channel of a pixel whose red, green and blue are equal to 1."""


def mdsi(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """Mean deviation similarity index of grey images: 0 is best.

    Nafchi et al., IEEE Access 4, 2016, doi:10.1109/ACCESS.2016.2604042, equations 4 to 12,
    similarities summed.  The index was made for colour.  For grey images the chromaticity
    similarity is 1 here: the published channel weights do not quite cancel for equal red, green
    and blue, and a code that copies grey into three channels gives slightly other values.
    An image of 384 pixels or more a side is first averaged down to about 256.

    Args:
        image: (N, 1, H, W), two sides of at least 8 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Weight of every pixel in the pooling, broadcastable to the image.

    Returns:
        (N,), from 0 (equal images) to about 0.7; NaN where the mask is empty.

    Raises:
        UsageError: Shapes differ, not grey, not 2-D, or too small.
    """
    return score_grey(
        "MDSI",
        _mdsi,
        image,
        reference,
        data_range=data_range,
        minimum_side=MINIMUM_SIDE,
        mask=mask,
    )


def _mdsi(x: Tensor, y: Tensor, mask: Tensor | None) -> Tensor:
    both = gradients(average_down(GREY_LUMINANCE * torch.cat([x, y])), PREWITT)
    slope_x, slope_y = both.chunk(2)
    # The gradient of the mean image is the mean of the gradients.
    x2, y2, mean2 = (slope.square().sum(1) for slope in (slope_x, slope_y, (slope_x + slope_y) / 2))
    structure = similarity_of_squares(x2, y2, C1)
    structure = structure + similarity_of_squares(x2, mean2, C2)
    structure = structure - similarity_of_squares(y2, mean2, C2)
    weight = torch.ones_like(x2) if mask is None else average_down(mask)[:, 0]
    return _deviation(ALPHA * structure + (1 - ALPHA), weight)


def _deviation(quality: Tensor, weight: Tensor) -> Tensor:
    """Fourth root of the mean distance of ``quality ** (1/4)`` to its mean, in complex numbers.

    A quality below zero has its principal root, which is complex.
    """
    share = weight / weight.sum((1, 2), keepdim=True)
    size = quality.abs() ** POWER
    angle = math.pi * POWER
    real = size * torch.where(quality < 0, math.cos(angle), 1.0)
    imaginary = size * torch.where(quality < 0, math.sin(angle), 0.0)
    off_real = real - (real * share).sum((1, 2), keepdim=True)
    off_imaginary = imaginary - (imaginary * share).sum((1, 2), keepdim=True)
    return (torch.hypot(off_real, off_imaginary) * share).sum((1, 2)) ** POWER
