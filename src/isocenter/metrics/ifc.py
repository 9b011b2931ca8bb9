"""IFC: information that image and reference share."""

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
    "ifc",
]

BETTER, RANGE, UNIT = "higher", (0.0, float("inf")), "bit"
IDENTICAL = None
"""Equal images share as much as their own texture holds, which differs from image to image."""
SPATIAL, DIFFERENTIABLE = (2,), True
SOURCE = "doi:10.1109/TIP.2005.859389"
VALIDATED = "Not validated against the original, whose steerable pyramid has other filters."


def ifc(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """Information fidelity criterion: mutual information per pixel.

    Sheikh, Bovik and de Veciana, IEEE TIP 14(12), 2005, doi:10.1109/TIP.2005.859389: over all
    blocks of 3 x 3 coefficients of the waves across and down at four scales, half the sum of
    log2(1 + g^2 v / n), with v the variances of the reference, g the gain and n the noise that
    the image adds; over the number of pixels, so that the size of an image does not count.  The
    pyramid is built in the Fourier domain with periodic borders, not with the released code's
    filters.

    Args:
        image: (N, 1, H, W), two sides of at least 65 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Refused: the score comes from the whole image.

    Returns:
        (N,), bits per pixel, >= 0; the more, the better.  Bounded by rounding alone for equal
        images: compare images of one reference.

    Raises:
        UsageError: Shapes differ, not grey, not 2-D, or too small; or a mask.
    """
    refuse_mask("IFC", mask)
    return score_grey(
        "IFC",
        _ifc,
        image,
        reference,
        data_range=data_range,
        minimum_side=MINIMUM_SIDE,
    )


def _ifc(x: Tensor, y: Tensor, _: Tensor | None) -> Tensor:
    shared = x.new_zeros(len(x))
    for channel in channels(x, y):
        share = channel.gain**2 / channel.noise
        shared = shared + torch.log2(1 + share[..., None] * channel.variances).sum((1, 2)) / 2
    return shared / (x.shape[2] * x.shape[3])
