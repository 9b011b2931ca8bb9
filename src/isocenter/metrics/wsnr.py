"""WSNR: signal over noise, each wave weighted by how well the eye sees it."""

import torch
from torch import Tensor

from isocenter.errors import UsageError
from isocenter.metrics._grey import decibels, score_grey
from isocenter.metrics._pairs import refuse_mask
from isocenter.ops.contrast_sensitivity import low_pass_sensitivity

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "wsnr",
]

BETTER, RANGE, UNIT = "higher", (float("-inf"), float("inf")), "dB"
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 8, (2,), True
SOURCE = "doi:10.1109/ICASSP.1993.319807"
VALIDATED = "Not validated against the original, which has no public code that can be run."


def wsnr(
    image: Tensor,
    reference: Tensor,
    *,
    data_range: float,
    mask: Tensor | None = None,
    pixels_per_degree: float = 120.0,
) -> Tensor:
    """Weighted signal-to-noise ratio.

    Mitsa and Varkur, ICASSP 1993, doi:10.1109/ICASSP.1993.319807: power of the reference over
    power of the difference, both weighted by the squared contrast sensitivity of the eye, which
    is held constant below its peak and falls faster along the diagonals.  The mean of the
    reference counts as signal.  The waves are those of the image continued periodically.

    Args:
        image: (N, 1, H, W), two sides of at least 8 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Refused: the score comes from the whole image.
        pixels_per_degree: Of visual angle, > 0.  The common 120 shows the finest wave at 60 cycles
            per degree.

    Returns:
        (N,), dB; infinite for equal images, minus infinite where the reference is 0 everywhere.

    Raises:
        UsageError: Shapes differ, not grey, not 2-D, or too small; a mask; no viewing condition.
    """
    refuse_mask("WSNR", mask)
    if not pixels_per_degree > 0:
        raise UsageError(f"pixels_per_degree must be a positive number; got {pixels_per_degree}")

    def formula(x: Tensor, y: Tensor, _: Tensor | None) -> Tensor:
        return decibels(_seen(y, pixels_per_degree), _seen(x - y, pixels_per_degree))

    return score_grey(
        "WSNR",
        formula,
        image,
        reference,
        data_range=data_range,
        minimum_side=MINIMUM_SIDE,
    )


def _seen(images: Tensor, pixels_per_degree: float) -> Tensor:
    """Weighted power of the waves of (n, 1, H, W), (n,)."""
    height, width = images.shape[2:]
    gain = low_pass_sensitivity(height, width, pixels_per_degree, images.dtype, images.device)
    power = torch.view_as_real(torch.fft.rfft2(images, norm="ortho") * gain).square().sum(-1)
    # The half spectrum holds each wave once that is no wave of its own mirror image.
    alone = power[..., :1].sum((1, 2, 3))
    if width % 2 == 0:
        alone = alone + power[..., -1:].sum((1, 2, 3))
    total: Tensor = 2 * power.sum((1, 2, 3)) - alone
    return total
