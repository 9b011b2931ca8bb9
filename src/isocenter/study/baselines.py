"""Measures that nobody would publish: what a comparison must beat to mean anything."""

import torch
import torch.nn.functional
from torch import Tensor

from isocenter.errors import UsageError

__all__ = ["image_mean", "mean_absolute_error", "noise_estimate"]

LAPLACIAN_DIFFERENCE = ((1.0, -2.0, 1.0), (-2.0, 4.0, -2.0), (1.0, -2.0, 1.0))
"""Blind to constant, sloping and evenly bent surfaces."""


def mean_absolute_error(image: Tensor, reference: Tensor) -> Tensor:
    """Mean of abs(image - reference); lower is better.

    Args:
        image: (N, C, *spatial).
        reference: Same shape and units.

    Returns:
        (N,), in the image's units.
    """
    return (image - reference).abs().flatten(1).mean(1)


def image_mean(image: Tensor) -> Tensor:
    """Mean of the image; higher is called better, for want of a reason.

    Args:
        image: (N, C, *spatial).

    Returns:
        (N,), in the image's units.
    """
    return image.flatten(1).mean(1)


def noise_estimate(image: Tensor) -> Tensor:
    """Standard deviation of white noise as a difference of two Laplacians sees it; lower is better.

    Edges count as noise, and Rician noise of a dark background counts for less.

    Source: Immerkaer, Comput. Vis. Image Underst. 64(2), 1996, doi:10.1006/cviu.1996.0060.

    Args:
        image: (N, 1, H, W), at least 3 x 3.

    Returns:
        (N,), in the image's units.

    Raises:
        UsageError: Not 2-D and grey, or smaller.
    """
    if image.ndim != 4 or image.shape[1] != 1 or min(image.shape[2:]) < 3:
        raise UsageError(f"noise_estimate takes (N, 1, H, W), 3 x 3 or more; got {image.shape}")
    mask = image.new_tensor(LAPLACIAN_DIFFERENCE)[None, None]
    response = torch.nn.functional.conv2d(image, mask).abs().flatten(1).mean(1)
    scale: float = (torch.pi / 2) ** 0.5 / 6
    return response * scale
