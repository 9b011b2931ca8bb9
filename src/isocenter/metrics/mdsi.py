"""MDSI: mean deviation of the similarity of gradients."""

import math

import torch
from torch import Tensor

from isocenter.metrics._grey import average_down, score_grey
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

    Nafchi et al., IEEE Access 4, 2016, doi:10.1109/ACCESS.2016.2604042, in the form that sums its
    similarities: with G the gradients of image, reference and their mean and q = 0.6 (S(G_x, G_y)
    + S(G_x, G_m) - S(G_y, G_m)) + 0.4, the fourth root of the mean of |q^(1/4) - mean q^(1/4)|.
    The index was made for colour; for grey images its similarity of chromaticities is 1 here.  The
    published chromaticities do not quite cancel for equal red, green and blue, and a code that
    copies grey into three channels gives slightly other values.
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
    size_x, size_y, size_mean = (
        slope.square().sum(1).sqrt() for slope in (slope_x, slope_y, (slope_x + slope_y) / 2)
    )
    loss = _loss(size_x, size_y, C1) + _loss(size_x, size_mean, C2) - _loss(size_y, size_mean, C2)
    weight = torch.ones_like(loss) if mask is None else average_down(mask)[:, 0]
    return _deviation(ALPHA * loss, weight)


def _loss(a: Tensor, b: Tensor, constant: float) -> Tensor:
    """One less the similarity: exactly 0 where two features are equal.

    The last step is a fourth root, which would make 0.02 of the rounding in 1 - similarity.
    """
    return (a - b) ** 2 / (a * a + b * b + constant)


def _deviation(loss: Tensor, weight: Tensor) -> Tensor:
    """Fourth root of the mean distance of ``(1 - loss) ** (1/4)`` to its mean.

    Where 1 - loss is negative its principal root is complex.
    """
    share = weight / weight.sum((1, 2), keepdim=True)
    size = (1 - loss).abs() ** POWER
    angle = math.pi * POWER
    # Counted from 1, the value of equal images: there the deviation is 0 without rounding.
    real = size * torch.where(loss > 1, math.cos(angle), 1.0) - 1
    imaginary = size * torch.where(loss > 1, math.sin(angle), 0.0)
    off_real = real - (real * share).sum((1, 2), keepdim=True)
    off_imaginary = imaginary - (imaginary * share).sum((1, 2), keepdim=True)
    return ((off_real**2 + off_imaginary**2).sqrt() * share).sum((1, 2)) ** POWER
