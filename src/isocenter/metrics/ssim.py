"""SSIM: structural similarity of an image to its reference, in 2-D and 3-D."""

import torch
from torch import Tensor

from isocenter.errors import UsageError

__all__ = ["BETTER", "RANGE", "UNIT", "ssim", "ssim_map"]

BETTER, RANGE, UNIT = "higher", (-1.0, 1.0), None

SIGMA = 1.5
RADIUS = 5
"""3.5 sigma, as in the published MATLAB code and in scikit-image."""
K1, K2 = 0.01, 0.03


def ssim(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """Mean structural similarity.

    Wang et al., IEEE TIP 13(4), 2004, doi:10.1109/TIP.2003.819861, equation 13, with the
    Gaussian window of 11 pixels along every spatial axis.

    Args:
        image: (N, C, *spatial), two or three spatial axes of at least 11 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Where to average, broadcastable to (N, C, *spatial); without it, everywhere
            that the window fits inside the image.

    Returns:
        (N,), from -1 to 1; 1 for equal images; NaN where the mask is empty.

    Raises:
        UsageError: Shapes differ, or a spatial axis is shorter than the window.
    """
    quality = ssim_map(image, reference, data_range=data_range)
    if mask is None:
        for axis in range(2, image.ndim):
            quality = quality.narrow(axis, RADIUS, quality.shape[axis] - 2 * RADIUS)
        return quality.flatten(1).mean(1)
    weight = mask.expand(quality.shape).to(quality.dtype).flatten(1)
    return (quality.flatten(1) * weight).sum(1) / weight.sum(1)


def ssim_map(image: Tensor, reference: Tensor, *, data_range: float) -> Tensor:
    """Structural similarity at every pixel; edges are reflected.  Arguments as :func:`ssim`."""
    if image.shape != reference.shape:
        raise UsageError(
            f"image {tuple(image.shape)} and reference {tuple(reference.shape)} differ in shape"
        )
    if min(image.shape[2:]) < 2 * RADIUS + 1:
        raise UsageError(f"SSIM needs 11 pixels along every axis; got {tuple(image.shape[2:])}")
    moments = torch.cat([image, reference, image**2, reference**2, image * reference], dim=1)
    x, y, xx, yy, xy = _gaussian(moments).chunk(5, dim=1)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    luminance = (2 * x * y + c1) / (x * x + y * y + c1)
    structure = (2 * (xy - x * y) + c2) / (xx - x * x + yy - y * y + c2)
    return luminance * structure


def _gaussian(stack: Tensor) -> Tensor:
    """Separable Gaussian along every spatial axis of (N, C, *spatial), edges reflected."""
    for axis in range(2, stack.ndim):
        operator = _operator(stack.shape[axis]).to(stack)
        stack = (stack.movedim(axis, -1) @ operator).movedim(-1, axis)
    return stack


def _operator(side: int) -> Tensor:
    """The filter of one axis as a matrix (side, side): a product is faster than a convolution."""
    at = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64)
    taps = torch.exp(-(at**2) / (2 * SIGMA**2))
    reached = torch.arange(side)[:, None] + torch.arange(-RADIUS, RADIUS + 1)
    inside = (side - 1) - ((reached.abs() % (2 * side - 2)) - (side - 1)).abs()
    matrix = torch.zeros(side, side, dtype=torch.float64)
    return matrix.scatter_add_(1, inside, (taps / taps.sum()).expand(side, -1)).T
