"""IW-PSNR: peak signal-to-noise ratio weighted by information content, in 2-D."""

import math

import torch
from torch import Tensor

from isocenter.metrics._information import (
    BORDER,
    MINIMUM_SIDE,
    WEIGHTS,
    score_pyramids,
    weighted_mean,
)

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "iw_psnr",
]

BETTER, RANGE, UNIT = "higher", (float("-inf"), float("inf")), "dB"
SPATIAL, DIFFERENTIABLE = (2,), True
SOURCE = "doi:10.1109/TIP.2010.2092435"
VALIDATED = (
    "Not validated against the original, which is MATLAB code that could not be run; its weights "
    "are those of IW-SSIM, which agree with piq to 1e-8."
)


def iw_psnr(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """PSNR of the bands of a Laplacian pyramid, each place weighted by what the eye can learn.

    Wang and Li, IEEE TIP 20(5), 2011, doi:10.1109/TIP.2010.2092435: the mean squared errors of
    five scales are weighted place by place as those of IW-SSIM and multiplied with its exponents;
    in the coarsest scale every place weighs the same.  Channels are measured apart and averaged.

    Args:
        image: (N, C, x, y), at least 161 pixels along both axes.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: None; another is refused.

    Returns:
        (N,), dB; infinite where one scale is free of error, as between equal images.

    Raises:
        UsageError: Shapes differ, three spatial axes, an axis is too short, or there is a mask.
    """
    return score_pyramids("IW-PSNR", _iw_psnr, image, reference, data_range=data_range, mask=mask)


def _iw_psnr(own: list[Tensor], true: list[Tensor], weights: list[Tensor | None]) -> Tensor:
    value = own[0].new_full(own[0].shape[:2], 20 * math.log10(255))
    for x, y, weight, exponent in zip(own, true, weights, WEIGHTS, strict=True):
        error = (x - y)[..., BORDER:-BORDER, BORDER:-BORDER] ** 2
        power = weighted_mean(error, weight)
        wrong = power > 0
        share = torch.log10(torch.where(wrong, power, 1)) * (exponent / sum(WEIGHTS))
        value = value - 10 * torch.where(wrong, share, float("-inf"))
    return value.mean(1)
