"""ESSIM: similarity of the strength of edges."""

from functools import lru_cache

import torch
import torch.nn.functional
from torch import Tensor

from isocenter.metrics._grey import average_down, pooled, score_grey
from isocenter.metrics._pairs import root

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "essim",
]

BETTER, RANGE, UNIT = "higher", (0.0, 1.0), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 5, (2,), True
SOURCE = "doi:10.1109/LSP.2013.2244081"
VALIDATED = "Not validated against the original, which is MATLAB code that could not be run."

CONSTANT = 10.0 * 255
"""(B L)^(2 p) with B = 10, L = 255 and p = 1/2."""
UPRIGHT = (
    (0, 0, 0, 0, 0),
    (0, 3, 10, 3, 0),
    (0, 0, 0, 0, 0),
    (0, -3, -10, -3, 0),
    (0, 0, 0, 0, 0),
)
SLANTED = (
    (0, 0, 3, 0, 0),
    (0, 10, 0, 0, 0),
    (3, 0, 0, 0, -3),
    (0, 0, 0, -10, 0),
    (0, 0, -3, 0, 0),
)


def essim(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """Edge-strength similarity.

    Zhang et al., IEEE Signal Processing Letters 20(4), 2013, doi:10.1109/LSP.2013.2244081: the
    strength of an edge is the root of the absolute difference of two perpendicular slopes, up and
    across or along the diagonals, whichever is larger in the reference; the value is the mean of
    (2 E_x E_y + C) / (E_x^2 + E_y^2 + C) with C = 2550.  Beyond the border lie zeros.
    An image of 384 pixels or more a side is first averaged down to about 256.

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
        "ESSIM",
        _essim,
        image,
        reference,
        data_range=data_range,
        minimum_side=MINIMUM_SIDE,
        mask=mask,
    )


def _essim(x: Tensor, y: Tensor, mask: Tensor | None) -> Tensor:
    anisotropy = _anisotropy(average_down(torch.cat([x, y])))
    own, true = anisotropy.chunk(2)
    upright = true[:, :1] >= true[:, 1:]
    own, true = (torch.where(upright, each[:, :1], each[:, 1:]) for each in (own, true))
    # The strengths are roots: their squares are the differences themselves.
    quality = (2 * root(own * true) + CONSTANT) / (own + true + CONSTANT)
    return pooled(quality, torch.ones_like(quality), None if mask is None else average_down(mask))


def _anisotropy(images: Tensor) -> Tensor:
    """Absolute differences of perpendicular slopes: upright and slanted, (n, 2, h, w)."""
    kernels = _kernels(images.dtype, images.device)
    return torch.nn.functional.conv2d(images, kernels, padding=2).abs()


@lru_cache(maxsize=8)
def _kernels(dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False), torch.no_grad():
        upright, slanted = torch.tensor([UPRIGHT, SLANTED], dtype=dtype, device=device) / 16
        return torch.stack([upright - upright.T, slanted - slanted.rot90()])[:, None]
