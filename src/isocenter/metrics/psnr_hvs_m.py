"""PSNR-HVS-M: PSNR-HVS with the masking of errors by the contrast around them, in 2-D."""

import torch
from torch import Tensor

from isocenter.metrics._cosines import blocks, peak_ratio, steps, transform
from isocenter.metrics._pairs import check, ratio, refuse_mask, root

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "psnr_hvs_m",
]

BETTER, RANGE, UNIT = "higher", (float("-inf"), float("inf")), "dB"
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 8, (2,), True
SOURCE = "https://www.ponomarenko.info/psnrhvsm.htm"
VALIDATED = "Not validated against the original."


def psnr_hvs_m(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """PSNR-HVS of the part of every error that the block's own contrast does not hide.

    Ponomarenko et al., On between-coefficient contrast masking of DCT basis functions, VPQM
    2007 (no DOI; https://www.ponomarenko.info/psnrhvsm.htm).  A block hides errors by the
    larger masking of the two images; its mean hides none and is hidden by none.

    Args:
        image: (N, C, x, y), at least 8 pixels along both axes.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: None; another is refused.

    Returns:
        (N,), dB; infinite where no error is seen, as between equal images.

    Raises:
        UsageError: Shapes differ, three spatial axes, an axis is too short, or there is a mask.
    """
    check(
        "PSNR-HVS-M",
        image,
        reference,
        minimum_side=MINIMUM_SIDE,
        spatial=SPATIAL,
        data_range=data_range,
    )
    refuse_mask("PSNR-HVS-M", mask)
    own, true = (blocks(each * (255 / data_range)) for each in (image, reference))
    error = transform(own - true).abs()
    hidden = torch.maximum(_masking(own), _masking(true))[..., None, None] / _masked_by(error)
    hidden = torch.where(_is_mean(error), 0, hidden)
    return peak_ratio((error - hidden).relu())


def _masking(block: Tensor) -> Tensor:
    """How much error a block hides: its weighted contrast, less where it holds an edge."""
    energy = torch.where(_is_mean(block), 0, transform(block) ** 2 * _masked_by(block))
    quarters = block.unfold(-2, 4, 4).unfold(-2, 4, 4)
    # Sample variance times count: n / (n - 1) times the squared deviations.
    evenness = ratio(
        (_scatter(quarters) * (16 / 15)).sum((-2, -1)), _scatter(block) * (64 / 63), otherwise=0
    )
    return root(energy.sum((-2, -1)) * evenness) / 32


def _scatter(block: Tensor) -> Tensor:
    """Sum of squared deviations from the mean, over the last two axes."""
    deviation = block - block.mean((-2, -1), keepdim=True)
    return (deviation**2).sum((-2, -1))


def _masked_by(like: Tensor) -> Tensor:
    return (10 / steps(like)) ** 2


def _is_mean(like: Tensor) -> Tensor:
    """True at the one coefficient that is the block's mean."""
    place = torch.zeros(like.shape[-2:], dtype=torch.bool, device=like.device)
    place[0, 0] = True
    return place
