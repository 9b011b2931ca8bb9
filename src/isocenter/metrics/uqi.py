"""UQI: universal image quality index, SSIM without its constants, in 2-D and 3-D."""

import torch
from torch import Tensor

from isocenter.metrics._pairs import by_chunks, check, mean, ratio
from isocenter.ops.windows import box, slide

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "uqi",
]

BETTER, RANGE, UNIT = "higher", (-1.0, 1.0), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 8, (2, 3), True
SOURCE = "doi:10.1109/97.995823"
VALIDATED = "Formula: torchmetrics, whose window is a Gaussian; windows: scipy, to 1e-10."

WIDTH = 8
FLAT = 1e-13
"""A window's variance below this share of its energy is rounding, not content."""


def uqi(image: Tensor, reference: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Mean of correlation, luminance and contrast agreement over sliding windows.

    Wang and Bovik, IEEE Signal Processing Letters 9(3), 2002, doi:10.1109/97.995823, equation 2,
    with its uniform window of 8 pixels along every spatial axis, where the window fits.  Where
    both windows are flat, only their means are compared; two empty windows agree.

    Args:
        image: (N, C, *spatial), two or three spatial axes of at least 8 pixels.
        reference: Same shape and units.
        mask: Where to average, broadcastable to (N, C, *spatial): a window counts by the share
            of its pixels inside.

    Returns:
        (N,), from -1 to 1; 1 for equal images, constant ones too; NaN where the mask is empty.

    Raises:
        UsageError: Shapes differ, or a spatial axis is shorter than the window.
    """
    check("UQI", image, reference, minimum_side=MINIMUM_SIDE, spatial=SPATIAL)
    window = box(WIDTH)
    if mask is None:
        return by_chunks(lambda x, y: mean(_agreement(x, y, window)).to(x.dtype), image, reference)
    share = slide(mask.expand(image.shape).double(), window)
    return mean(_agreement(image, reference, window), share).to(image.dtype)


def _agreement(image: Tensor, reference: Tensor, window: Tensor) -> Tensor:
    """The index of every window; no constant steadies it, so float64 has to."""
    image, reference = image.double(), reference.double()
    moments = torch.cat([image, reference, image**2 + reference**2, image * reference], dim=1)
    x, y, energy, product = slide(moments, window).chunk(4, dim=1)
    luminance = ratio(2 * x * y, x * x + y * y, otherwise=1)
    variance = energy - x * x - y * y
    variance = torch.where(variance > FLAT * energy, variance, 0)
    return luminance * ratio(2 * (product - x * y), variance, otherwise=1)
