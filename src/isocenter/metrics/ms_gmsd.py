"""MS-GMSD: gradient magnitude similarity deviation over four scales, in 2-D and 3-D."""

import torch
from torch import Tensor

from isocenter.metrics._pairs import by_chunks, check, refuse_mask, root
from isocenter.metrics.gmsd import CONSTANT, gradient_deviation, halved

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "ms_gmsd",
]

BETTER, RANGE, UNIT = "lower", (0.0, 1.0), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 17, (2, 3), True
SOURCE = "doi:10.1109/ICASSP.2017.7952357"
VALIDATED = "piq in 2-D, to 1e-10; 3-D is the same formula, not validated."

WEIGHTS = (0.096, 0.596, 0.289, 0.019)
"""Of the squared deviations, finest scale first."""
MASKING = 0.5


def ms_gmsd(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """Root of the weighted mean of squared deviations over scales.

    Zhang, Sander and Bermak, ICASSP 2017, doi:10.1109/ICASSP.2017.7952357, for the
    luminance alone.  The finest scale is the image itself.

    Args:
        image: (N, C, *spatial), two or three spatial axes of at least 17 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: None; another is refused.

    Returns:
        (N,), from 0 to 1, mostly below 0.35; 0 for equal images, constant ones too.

    Raises:
        UsageError: Shapes differ, a spatial axis is too short, or there is a mask.
    """
    check(
        "MS-GMSD",
        image,
        reference,
        minimum_side=MINIMUM_SIDE,
        spatial=SPATIAL,
        data_range=data_range,
    )
    refuse_mask("MS-GMSD", mask)
    return by_chunks(lambda x, y: _ms_gmsd(x / data_range, y / data_range), image, reference)


def _ms_gmsd(image: Tensor, reference: Tensor) -> Tensor:
    total = torch.zeros_like(image[:, 0].flatten(1)[:, 0])
    for scale, weight in enumerate(WEIGHTS):
        if scale > 0:
            image, reference = halved(image), halved(reference)
        deviation = gradient_deviation(image, reference, constant=CONSTANT, masking=MASKING)
        total = total + weight * deviation**2
    return root(total)
