"""GSM: similarity of gradients, with a little of the luminance."""

from functools import lru_cache

import torch
import torch.nn.functional
from torch import Tensor

from isocenter.metrics._grey import pooled, score_grey

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "gsm",
]

BETTER, RANGE, UNIT = "higher", (0.0, 1.0), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 5, (2,), True
SOURCE = "doi:10.1109/TIP.2011.2175935"
VALIDATED = "Not validated against the original, which has no public code that can be run."

K = 200.0
LUMINANCE_SHARE = 0.1
PEAK = 255.0
STRAIGHT = (
    (0, 0, 0, 0, 0),
    (1, 3, 8, 3, 1),
    (0, 0, 0, 0, 0),
    (-1, -3, -8, -3, -1),
    (0, 0, 0, 0, 0),
)
SLANTED = ((0, 0, 1, 0, 0), (0, 8, 3, 0, 0), (1, 3, 0, -3, -1), (0, 0, -3, -8, 0), (0, 0, -1, 0, 0))


def gsm(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """Gradient similarity metric.

    Liu, Lin and Narwaria, IEEE TIP 21(4), 2012, doi:10.1109/TIP.2011.2175935.  The gradient is
    the largest of four directional means over 5 x 5 pixels, g = (2 (1 - R) + K') /
    (1 + (1 - R)^2 + K') with R the relative difference of the two gradients and K' = 200 over
    the larger one, e = 1 - (difference / data_range)^2, and q = g - 0.1 g (g - e).
    Beyond the border the image repeats its last pixel.

    Args:
        image: (N, 1, H, W), two sides of at least 5 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Weight of every pixel in the pooling, broadcastable to the image.

    Returns:
        (N,), from 0 to 1; 1 for equal images; NaN where the mask is empty.

    Raises:
        UsageError: Shapes differ, not grey, not 2-D, or too small.
    """
    return score_grey(
        "GSM",
        _gsm,
        image,
        reference,
        data_range=data_range,
        minimum_side=MINIMUM_SIDE,
        mask=mask,
    )


def _gsm(x: Tensor, y: Tensor, mask: Tensor | None) -> Tensor:
    slope_x, slope_y = _slope(torch.cat([x, y])).chunk(2)
    larger, smaller = torch.maximum(slope_x, slope_y), torch.minimum(slope_x, slope_y)
    # g with its fraction expanded by larger^2, which needs no division by a zero gradient.
    larger = larger.clamp_min(torch.finfo(x.dtype).eps)
    smaller = smaller.clamp_min(torch.finfo(x.dtype).eps)
    structure = (2 * smaller + K) * larger / (larger**2 + smaller**2 + K * larger)
    luminance = 1 - ((x - y) / PEAK) ** 2
    share = LUMINANCE_SHARE * structure
    quality = (1 - share) * structure + share * luminance
    return pooled(quality, torch.ones_like(quality), mask)


def _slope(images: Tensor) -> Tensor:
    """Largest of the absolute means of the pixels weighted by the four kernels."""
    wide = torch.nn.functional.pad(images, [2, 2, 2, 2], mode="replicate")
    means = torch.nn.functional.conv2d(wide, _kernels(images.dtype, images.device))
    return means.abs().amax(1, keepdim=True)


@lru_cache(maxsize=8)
def _kernels(dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False), torch.no_grad():
        straight, slanted = torch.tensor([STRAIGHT, SLANTED], dtype=dtype, device=device) / 25
        return torch.stack([straight, slanted, slanted.fliplr(), straight.T])[:, None]
