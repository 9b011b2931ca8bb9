"""MS-SSIM: structural similarity over five scales, in 2-D and 3-D."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from isocenter.errors import UsageError
from isocenter.metrics import ssim as single
from isocenter.metrics._pairs import by_chunks, check, refuse_mask
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
    "ms_ssim",
]

BETTER, RANGE, UNIT = "higher", (0.0, 1.0), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 161, (2, 3), True
SOURCE = "doi:10.1109/ACSSC.2003.1292216"
VALIDATED = "piq (2-D, to 1e-10) and MONAI (2-D and 3-D, to 5e-5), on even sides."

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales, finest first."""


def ms_ssim(
    image: Tensor,
    reference: Tensor,
    *,
    data_range: float,
    mask: Tensor | None = None,
    weights: Sequence[float] = WEIGHTS,
) -> Tensor:
    """Product over scales of the mean structural similarity, luminance at the coarsest alone.

    Wang, Simoncelli and Bovik, Asilomar 2003, doi:10.1109/ACSSC.2003.1292216, equation 7.
    Every scale is the mean of 2 pixels along every axis of the one before; an odd axis repeats
    its last pixel.  A negative mean counts as 0.  Channels are measured apart and averaged.

    Args:
        image: (N, C, *spatial), two or three spatial axes of at least 161 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: None; another is refused.
        weights: Exponents, finest scale first.  Fewer of them fit smaller images and give
            numbers that compare with no others.

    Returns:
        (N,), from 0 to 1; 1 for equal images, constant ones too.

    Raises:
        UsageError: Shapes differ, or a spatial axis is too short for so many scales, or
            there is a mask.
    """
    check("MS-SSIM", image, reference, spatial=SPATIAL, data_range=data_range)
    refuse_mask("MS-SSIM", mask)
    _check_sides(tuple(image.shape[2:]), len(weights))
    formula = partial(_ms_ssim, data_range=data_range, weights=weights)
    return by_chunks(formula, image, reference)


def _ms_ssim(
    image: Tensor, reference: Tensor, data_range: float, weights: Sequence[float]
) -> Tensor:
    value = image.new_ones(image.shape[:2])
    for scale, weight in enumerate(weights):
        similarity, structure = single.means(image, reference, data_range=data_range)
        coarsest = scale == len(weights) - 1
        value = value * _power(similarity if coarsest else structure, weight)
        if not coarsest:
            image, reference = (_halved(each) for each in (image, reference))
    return value.mean(1)


def _halved(image: Tensor) -> Tensor:
    return slide(image, box(2), edges="repeat", step=2)


def _power(values: Tensor, exponent: float) -> Tensor:
    """``max(values, 0) ** exponent`` with a finite gradient."""
    positive = values > 0
    raised = torch.where(positive, values, 1).pow(exponent)
    return torch.where(positive, raised, 0)


def _check_sides(sides: tuple[int, ...], n_scales: int) -> None:
    least = (single.MINIMUM_SIDE - 1) * 2 ** (n_scales - 1) + 1
    if min(sides) < least:
        raise UsageError(
            f"MS-SSIM of {n_scales} scales needs {least} pixels along every axis; got {sides}: "
            "pass fewer weights or use SSIM"
        )
