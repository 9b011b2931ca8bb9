"""PSNR: peak signal-to-noise ratio of an image against its reference."""

import torch
from torch import Tensor

from isocenter.errors import UsageError

__all__ = ["BETTER", "RANGE", "UNIT", "psnr"]

BETTER, RANGE, UNIT = "higher", (float("-inf"), float("inf")), "dB"


def psnr(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """20 log10(data_range / root mean square error).

    Args:
        image: (N, C, *spatial).
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Where to compare, broadcastable to the image; everywhere without it.

    Returns:
        (N,), dB; infinite for equal images.

    Raises:
        UsageError: Shapes differ.
    """
    if image.shape != reference.shape:
        raise UsageError(
            f"image {tuple(image.shape)} and reference {tuple(reference.shape)} differ in shape"
        )
    squared = ((image - reference) ** 2).flatten(1)
    if mask is None:
        mean = squared.mean(1)
    else:
        weight = mask.expand(image.shape).to(squared.dtype).flatten(1)
        mean = (squared * weight).sum(1) / weight.sum(1)
    return 10 * torch.log10(data_range**2 / mean)
