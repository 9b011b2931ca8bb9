"""VIF: how much of the information of the reference the image still holds."""

import torch
from torch import Tensor

from isocenter.metrics._grey import score_grey
from isocenter.metrics._pairs import refuse_mask
from isocenter.metrics._scale_mixture import MINIMUM_SIDE, channels

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "IDENTICAL",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "vif",
]

BETTER, RANGE, UNIT = "higher", (0.0, float("inf")), None
IDENTICAL = 1.0
SPATIAL, DIFFERENTIABLE = (2,), True
SOURCE = "doi:10.1109/TIP.2005.859378"
VALIDATED = "Not validated against the original, whose steerable pyramid has other filters."

EYE_NOISE = 0.4
"""Variance of the noise of the eye, for images from 0 to 255."""


def vif(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """Visual information fidelity in the wavelet domain.

    Sheikh and Bovik, IEEE TIP 15(2), 2006, doi:10.1109/TIP.2005.859378: over all blocks of 3 x 3
    coefficients of the waves across and down at four scales, sum log2(1 + g^2 v / (n + 0.4)) over
    sum log2(1 + v / 0.4), with v the variances of the reference, g the gain and n the noise that
    the image adds, in the windows of the released code.  The pyramid is built in the Fourier
    domain with periodic borders, not with the released code's short filters: values of the two
    cannot be mixed.

    Args:
        image: (N, 1, H, W), two sides of at least 65 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Refused: the score comes from the whole image.

    Returns:
        (N,), 0 without any information left, 1 for equal images, above 1 where contrast was
        raised without noise; NaN where the reference is even.

    Raises:
        UsageError: Shapes differ, not grey, not 2-D, or too small; or a mask.
    """
    refuse_mask("VIF", mask)
    return score_grey(
        "VIF",
        _vif,
        image,
        reference,
        data_range=data_range,
        minimum_side=MINIMUM_SIDE,
    )


def _vif(x: Tensor, y: Tensor, _: Tensor | None) -> Tensor:
    kept, there = x.new_zeros(len(x)), x.new_zeros(len(x))
    for channel in channels(x, y):
        share = channel.gain**2 / (channel.noise + EYE_NOISE)
        kept = kept + torch.log2(1 + share[..., None] * channel.variances).sum((1, 2))
        there = there + torch.log2(1 + channel.variances / EYE_NOISE).sum((1, 2))
    return kept / there
