"""Gradients of 2-D images by small published kernels."""

from collections.abc import Sequence

import torch
import torch.nn.functional
from jaxtyping import Float
from torch import Tensor

__all__ = ["PREWITT", "SCHARR", "gradients", "squared_gradient"]

SCHARR = (3 / 16, 10 / 16, 3 / 16)
"""Smoothing across the difference; sum 1."""
PREWITT = (1 / 3, 1 / 3, 1 / 3)


def gradients(
    images: Float[Tensor, "n 1 h w"], smoothing: Sequence[float]
) -> Float[Tensor, "n 2 h w"]:
    """Difference of the right and left (then lower and upper) neighbour, smoothed across.

    Args:
        images: Any units; beyond the border lie zeros.
        smoothing: Three taps, ``SCHARR`` or ``PREWITT``.

    Returns:
        Along the width, then along the height: twice the slope per pixel.
    """
    across = torch.outer(
        torch.tensor(smoothing, dtype=images.dtype, device=images.device),
        torch.tensor([-1, 0, 1], dtype=images.dtype, device=images.device),
    )
    return torch.nn.functional.conv2d(images, torch.stack([across, across.T])[:, None], padding=1)


def squared_gradient(
    images: Float[Tensor, "n 1 h w"], smoothing: Sequence[float]
) -> Float[Tensor, "n 1 h w"]:
    """Squared magnitude of :func:`gradients`."""
    return gradients(images, smoothing).square().sum(1, keepdim=True)
