"""PSNR: peak signal-to-noise ratio of an image against its reference."""

import torch
from torch import Tensor

from isocenter.metrics._pairs import check
from isocenter.metrics.mse import mse

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "psnr",
]

BETTER, RANGE, UNIT = "higher", (float("-inf"), float("inf")), "dB"
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 1, (1, 2, 3), True
SOURCE = "doi:10.1109/MSP.2008.930649"
VALIDATED = "scikit-image in 2-D and 3-D, to 1e-10."


def psnr(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """20 log10(data_range / root mean square error).

    Wang and Bovik, IEEE Signal Processing Magazine 26(1), 2009, doi:10.1109/MSP.2008.930649.

    Args:
        image: (N, C, *spatial).
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Where to compare, broadcastable to the image; everywhere without it.

    Returns:
        (N,), dB; infinite for equal images; NaN where the mask is empty.

    Raises:
        UsageError: Shapes differ, or the range is not positive.
    """
    check("PSNR", image, reference, spatial=SPATIAL, data_range=data_range)
    return 10 * torch.log10(data_range**2 / mse(image, reference, mask=mask))
