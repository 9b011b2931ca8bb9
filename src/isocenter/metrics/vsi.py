"""VSI: similarity of visual saliency and gradient, weighted by saliency."""

import torch
from torch import Tensor

from isocenter.metrics._grey import average_down, feature_similarity, score_grey
from isocenter.ops.gradients import SCHARR, squared_gradient
from isocenter.ops.saliency import PRIOR_SIDE, prior_saliency

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "LOCAL",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "vsi",
]

BETTER, RANGE, UNIT = "higher", (0.0, 1.0), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 16, (2,), True
LOCAL = False
"""Every value comes from the whole image, also under a mask."""
SOURCE = "doi:10.1109/TIP.2014.2346028"
VALIDATED = (
    "piq 0.8 with its colour terms switched off, which agrees with the authors' MATLAB code."
)

C1, C2, ALPHA = 1.27, 386.0, 0.4
GREY_LUMINANCE = 0.06 + 0.63 + 0.27
"""The published luminance channel of a pixel whose red, green and blue are equal to 1."""


def vsi(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """Visual saliency-induced index of grey images.

    Zhang, Shen and Li, IEEE TIP 23(10), 2014, doi:10.1109/TIP.2014.2346028: with V the saliency,
    G the gradient and S(a, b) = (2 a b + C) / (a^2 + b^2 + C), the mean of S(V_x, V_y) S(G_x,
    G_y)^0.4 weighted by max(V_x, V_y).
    The index was made for colour; for grey images its two chrominance similarities and its
    prior for warm colours are 1 here.  A code that copies grey into three channels differs by
    about half a percent: the published channel weights and white point lend grey a tint.
    An image of 384 pixels or more a side is averaged down to about 256 after the saliency map.

    Args:
        image: (N, 1, H, W), two sides of at least 16 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Weight of every pixel in the pooling, broadcastable to the image.

    Returns:
        (N,), from 0 to 1; 1 for equal images; NaN where the mask is empty.

    Raises:
        UsageError: Shapes differ, not grey, not 2-D, or too small.
    """
    return score_grey(
        "VSI",
        _vsi,
        image,
        reference,
        data_range=data_range,
        minimum_side=MINIMUM_SIDE,
        mask=mask,
        working_side=PRIOR_SIDE,
    )


def _vsi(x: Tensor, y: Tensor, mask: Tensor | None) -> Tensor:
    both = torch.cat([x, y])
    salient = average_down(prior_saliency(both[:, 0] / 255)[:, None])
    slopes = squared_gradient(average_down(GREY_LUMINANCE * both), SCHARR)
    return feature_similarity(salient, slopes, mask, constants=(C1, C2), power=ALPHA)
