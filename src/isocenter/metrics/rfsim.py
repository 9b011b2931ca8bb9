"""RFSIM: similarity of Riesz transforms at the edges."""

import torch
import torch.nn.functional
from torch import Tensor

from isocenter.metrics._grey import average_down, pooled, score_grey, similarity
from isocenter.ops.edges import canny
from isocenter.ops.riesz import riesz_features

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
    "rfsim",
]

BETTER, RANGE, UNIT = "higher", (-1.0, 1.0), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 16, (2,), False
LOCAL = False
"""Every value comes from the whole image, also under a mask."""
SOURCE = "doi:10.1109/ICIP.2010.5649275"
VALIDATED = "Not validated against the original, which runs in MATLAB only."

C = 1.2
SIGMA, LOW, HIGH = 3.6, 0.08, 0.13
"""Of Canny's operator, as in the authors' code."""


def rfsim(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """Riesz-transform based feature similarity.

    Zhang, Zhang and Mou, ICIP 2010, doi:10.1109/ICIP.2010.5649275, with the constants of the
    authors' code: the product of the mean similarities of five Riesz features, near the edges
    of either image (Canny's, widened to 4 x 4 pixels); everywhere if neither has an edge.
    An image of 384 pixels or more a side is first averaged down to about 256.

    Args:
        image: (N, 1, H, W), two sides of at least 16 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Weight of every pixel in the pooling, broadcastable to the image.

    Returns:
        (N,), up to 1 for equal images; NaN where the mask is empty.

    Raises:
        UsageError: Shapes differ, not grey, not 2-D, or too small.
    """
    return score_grey(
        "RFSIM",
        _rfsim,
        image,
        reference,
        data_range=data_range,
        minimum_side=MINIMUM_SIDE,
        mask=mask,
    )


def _rfsim(x: Tensor, y: Tensor, mask: Tensor | None) -> Tensor:
    both = average_down(torch.cat([x, y]))[:, 0]
    features_x, features_y = riesz_features(both).chunk(2)
    edges = canny(both.detach(), sigma=SIGMA, low=LOW, high=HIGH)
    near_x, near_y = _widened(edges).to(x.dtype).chunk(2)
    weight = torch.maximum(near_x, near_y)[:, None]
    quality = similarity(features_x, features_y, C)
    small = None if mask is None else average_down(mask)
    means = [pooled(feature, weight, small) for feature in quality.split(1, dim=1)]
    return torch.stack(means).prod(0)


def _widened(edges: Tensor) -> Tensor:
    """Every edge pixel as a square of four, one pixel more below and to the right."""
    wide = torch.nn.functional.pad(edges[:, None].float(), [2, 1, 2, 1])
    return torch.nn.functional.max_pool2d(wide, 4, 1)[:, 0]
