"""FSIM: similarity of phase congruency and gradient, weighted by phase congruency."""

import torch
from torch import Tensor

from isocenter.metrics._grey import average_down, feature_similarity, score_grey
from isocenter.ops.gradients import SCHARR, squared_gradient
from isocenter.ops.phase import phase_congruency

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
    "fsim",
]

BETTER, RANGE, UNIT = "higher", (0.0, 1.0), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 16, (2,), True
LOCAL = False
"""Every value comes from the whole image, also under a mask."""
SOURCE = "doi:10.1109/TIP.2011.2109730"
VALIDATED = "piq 0.8 on grey images, which agrees with the authors' MATLAB code."

T1, T2 = 0.85, 160.0


def fsim(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """Feature similarity index.

    Zhang et al., IEEE TIP 20(8), 2011, doi:10.1109/TIP.2011.2109730: with P the phase congruency,
    G the gradient and S(a, b) = (2 a b + T) / (a^2 + b^2 + T), the mean of S(P_x, P_y) S(G_x,
    G_y) weighted by max(P_x, P_y).
    An image of 384 pixels or more a side is first averaged down to about 256.

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
        "FSIM",
        _fsim,
        image,
        reference,
        data_range=data_range,
        minimum_side=MINIMUM_SIDE,
        mask=mask,
    )


def _fsim(x: Tensor, y: Tensor, mask: Tensor | None) -> Tensor:
    both = average_down(torch.cat([x, y]))
    phases, slopes = phase_congruency(both[:, 0])[:, None], squared_gradient(both, SCHARR)
    return feature_similarity(phases, slopes, mask, constants=(T1, T2))
