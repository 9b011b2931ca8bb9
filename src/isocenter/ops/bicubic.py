"""Bicubic resampling that averages where it shrinks, as MATLAB's ``imresize`` does."""

import math

import torch
from torch import Tensor

from isocenter.ops.windows import multiply_along

__all__ = ["bicubic_operator", "resize"]


def resize(stack: Tensor, scale: float) -> Tensor:
    """Resample every spatial axis by the same factor.

    Keys' cubic kernel with a = -1/2, doi:10.1109/TASSP.1981.1163711, stretched by 1 / ``scale``
    where the image shrinks; the image repeats itself mirrored about its border.

    Args:
        stack: (N, C, *spatial), real.
        scale: New side over old side, > 0; a new side is rounded up.

    Returns:
        (N, C, *resized), type and device of ``stack``.
    """
    for axis in range(2, stack.ndim):
        stack = multiply_along(stack, bicubic_operator(stack.shape[axis], scale), axis)
    return stack


def bicubic_operator(side: int, scale: float) -> Tensor:
    """One axis of :func:`resize` as a matrix (side, places), float64."""
    stretch = max(1.0, 1 / scale)
    places = torch.arange(math.ceil(side * scale), dtype=torch.float64)
    centres = (places + 0.5) / scale - 0.5
    n_taps = math.ceil(4 * stretch) + 2
    first = torch.floor(centres - 2 * stretch)
    reached = first[:, None] + torch.arange(n_taps)
    weights = _cubic((reached - centres[:, None]) / stretch)
    weights = weights / weights.sum(1, keepdim=True)
    folded = reached.long() % (2 * side)
    inside = torch.minimum(folded, 2 * side - 1 - folded)
    matrix = torch.zeros(len(places), side, dtype=torch.float64)
    return matrix.scatter_add_(1, inside, weights).T


def _cubic(distance: Tensor) -> Tensor:
    x = distance.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x <= 1, near, torch.where(x < 2, far, 0))
