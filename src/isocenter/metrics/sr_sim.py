"""SR-SIM: similarity of spectral-residual saliency and gradient."""

import torch
from torch import Tensor

from isocenter.metrics._grey import average_down, feature_similarity, score_grey
from isocenter.ops.gradients import SCHARR, squared_gradient
from isocenter.ops.saliency import spectral_residual

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
    "sr_sim",
]

BETTER, RANGE, UNIT = "higher", (0.0, 1.0), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 40, (2,), True
LOCAL = False
"""Every value comes from the whole image, also under a mask."""
SOURCE = "doi:10.1109/ICIP.2012.6467149"
VALIDATED = "piq 0.8, one grey image at a time, which agrees with the authors' MATLAB code."

C1, C2, ALPHA = 0.4, 225.0, 0.5


def sr_sim(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """Spectral residual based similarity.

    Zhang and Li, ICIP 2012, doi:10.1109/ICIP.2012.6467149: with V the saliency, G the gradient
    and S(a, b) = (2 a b + C) / (a^2 + b^2 + C), the mean of S(V_x, V_y) sqrt(S(G_x, G_y))
    weighted by max(V_x, V_y).
    Every image's saliency is scaled to its own range, so that a score never depends on the rest
    of a batch.
    An image of 384 pixels or more a side is first averaged down to about 256.

    Args:
        image: (N, 1, H, W), two sides of at least 40 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Weight of every pixel in the pooling, broadcastable to the image.

    Returns:
        (N,), from 0 to 1; 1 for equal images; NaN where the mask is empty.

    Raises:
        UsageError: Shapes differ, not grey, not 2-D, or too small.
    """
    return score_grey(
        "SR-SIM",
        _sr_sim,
        image,
        reference,
        data_range=data_range,
        minimum_side=MINIMUM_SIDE,
        mask=mask,
    )


def _sr_sim(x: Tensor, y: Tensor, mask: Tensor | None) -> Tensor:
    both = average_down(torch.cat([x, y]))
    salient, slopes = spectral_residual(both[:, 0])[:, None], squared_gradient(both, SCHARR)
    return feature_similarity(salient, slopes, mask, constants=(C1, C2), power=ALPHA)
