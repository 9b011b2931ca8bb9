"""PSNR-HVS: peak signal-to-noise ratio of what the eye sees of each frequency, in 2-D."""

from torch import Tensor

from isocenter.metrics._cosines import blocks, peak_ratio, transform
from isocenter.metrics._pairs import check, refuse_mask

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "psnr_hvs",
]

BETTER, RANGE, UNIT = "higher", (float("-inf"), float("inf")), "dB"
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 8, (2,), True
SOURCE = "https://www.ponomarenko.info/psnrhvsm.htm"
VALIDATED = "Not validated against the original."


def psnr_hvs(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """PSNR of 8 x 8 cosine coefficients, each weighted by the eye's contrast sensitivity.

    Egiazarian et al., New full-reference quality metrics based on HVS, VPQM 2006 (no DOI;
    https://www.ponomarenko.info/psnrhvsm.htm), on blocks side by side, without its corrections
    for mean and contrast.  Pixels beyond the last whole block are left out.

    Args:
        image: (N, C, x, y), at least 8 pixels along both axes.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: None; another is refused.

    Returns:
        (N,), dB; infinite for equal images, constant ones too.

    Raises:
        UsageError: Shapes differ, three spatial axes, an axis is too short, or there is a mask.
    """
    check(
        "PSNR-HVS",
        image,
        reference,
        minimum_side=MINIMUM_SIDE,
        spatial=SPATIAL,
        data_range=data_range,
    )
    refuse_mask("PSNR-HVS", mask)
    return peak_ratio(transform(blocks((image - reference) * (255 / data_range))))
