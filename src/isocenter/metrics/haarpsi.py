"""HaarPSI: similarity of Haar wavelet coefficients, in the tuning for photographs or medicine."""

import torch
import torch.nn.functional
from torch import Tensor

from isocenter.errors import UnknownName
from isocenter.metrics._grey import pooled, score_grey, similarity

__all__ = [
    "BETTER",
    "CONSTANTS",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "haarpsi",
]

BETTER, RANGE, UNIT = "higher", (0.0, 1.0), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 16, (2,), True
SOURCE = "doi:10.1016/j.image.2017.11.001"
VALIDATED = "piq 0.8 on grey images, which agrees with the authors' MATLAB code."

CONSTANTS = {"original": (30.0, 4.2), "med": (5.0, 4.9)}
"""C and alpha: tuned on photographs, and on chest X-rays and photoacoustic images."""


def haarpsi(
    image: Tensor,
    reference: Tensor,
    *,
    data_range: float,
    mask: Tensor | None = None,
    constants: str = "original",
) -> Tensor:
    """Haar wavelet-based perceptual similarity index.

    Reisenhofer et al., Signal Processing: Image Communication 61, 2018,
    doi:10.1016/j.image.2017.11.001: with h the Haar coefficients down and across, l(a) = 1 / (1 +
    exp(-alpha a)) and S the mean over the two finest scales of (2 |h_x h_y| + C) / (h_x^2 + h_y^2
    + C), the value is (l^-1(mean l(S)) / alpha)^2, weighted by the larger |h| of the third
    scale.  Before the first scale 2 x 2 pixels are averaged.

    Args:
        image: (N, 1, H, W), two sides of at least 16 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Weight of every pixel in the pooling, broadcastable to the image.
        constants: ``"original"``, C = 30 and alpha = 4.2, or ``"med"``, C = 5 and alpha = 4.9
            (HaarPSI_MED: Karner et al., arXiv:2410.24098).

    Returns:
        (N,), from 0 to 1; 1 for equal images; NaN where the mask is empty.

    Raises:
        UsageError: Shapes differ, not grey, not 2-D, or too small; no such constants.
    """
    if constants not in CONSTANTS:
        raise UnknownName("set of HaarPSI constants", constants, CONSTANTS)
    constant, alpha = CONSTANTS[constants]

    def formula(x: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        return _haarpsi(x, y, weight, constant, alpha)

    return score_grey(
        "HaarPSI",
        formula,
        image,
        reference,
        data_range=data_range,
        minimum_side=MINIMUM_SIDE,
        mask=mask,
    )


def _haarpsi(x: Tensor, y: Tensor, mask: Tensor | None, constant: float, alpha: float) -> Tensor:
    fine_x, middle_x, coarse_x = _haar(_halved(x))
    fine_y, middle_y, coarse_y = _haar(_halved(y))
    local = similarity(fine_x, fine_y, constant) + similarity(middle_x, middle_y, constant)
    weight = torch.maximum(coarse_x, coarse_y)
    mean = pooled(torch.sigmoid(alpha * local / 2), weight, None if mask is None else _halved(mask))
    return (torch.logit(mean) / alpha) ** 2


def _halved(images: Tensor) -> Tensor:
    """Means of 2 x 2 pixels; zeros complete an odd side."""
    height, width = images.shape[2:]
    even = torch.nn.functional.pad(images, [0, width % 2, 0, height % 2])
    return torch.nn.functional.avg_pool2d(even, 2)


def _haar(images: Tensor) -> list[Tensor]:
    """Absolute Haar coefficients of sizes 2, 4 and 8: down and across, (n, 2, h, w) each.

    Sums of a block come from two sums of half its size, so a scale costs a few additions.
    Zeros lie beyond the border, one pixel more below and to the right.
    """
    height, width = images.shape[2:]
    sums = torch.nn.functional.pad(images, [3, 4, 3, 4])
    coefficients = []
    for half in (1, 2, 4):
        upper, lower = sums[:, :, :-half], sums[:, :, half:]
        left, right = (upper + lower)[..., :-half], (upper + lower)[..., half:]
        down = (upper - lower)[..., :-half] + (upper - lower)[..., half:]
        first = 4 - half
        both = torch.cat([down, left - right], 1)[:, :, first : first + height]
        coefficients.append(both[..., first : first + width].abs() / (2 * half))
        sums = left + right
    return coefficients
