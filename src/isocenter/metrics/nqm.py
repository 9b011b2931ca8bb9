"""NQM: signal over the noise that shows beside the contrast around it."""

import math
from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor

from isocenter.errors import UsageError
from isocenter.metrics._grey import decibels, score_grey
from isocenter.metrics._pairs import refuse_mask
from isocenter.ops.contrast_sensitivity import frequencies, sensitivity

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "nqm",
]

BETTER, RANGE, UNIT = "higher", (float("-inf"), float("inf")), "dB"
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 16, (2,), False
SOURCE = "doi:10.1109/83.841940"
VALIDATED = "Not validated against the original, which is MATLAB code that could not be run."

N_BANDS = 5
GREATEST_SENSITIVITY = 200.0
"""One over the least contrast that is ever seen."""
MASKING_SLOPE, MASKING_OFFSET = 0.86, 0.3
"""Of the line from a contrast to the change of it that shows, both over the threshold."""
DARKEST = 1.0
"""Least background that a contrast is measured against, of 255."""


def nqm(
    image: Tensor,
    reference: Tensor,
    *,
    data_range: float,
    mask: Tensor | None = None,
    viewing_angle: float = 180 / math.pi / 3.5,
) -> Tensor:
    """Noise quality measure.

    Damera-Venkata et al., IEEE TIP 9(4), 2000, doi:10.1109/83.841940: both images are split into
    octave bands of 2, 4, 8, 16 and 32 cycles per image (Peli's contrast pyramid); a band over all
    that is coarser is its contrast.  A contrast below the threshold of the eye is not seen, and
    a change of contrast is not seen below the threshold that the reference's own contrast sets.
    The value is the power of what is seen of the reference over that of what is seen of the
    difference.  Waves of 64 and more cycles do not count.

    A background below 1 of 255 counts as 1, so that the air of a scan has a contrast.  The
    masking threshold of a band is that of its own frequency; the sides of an image that is not
    square count as their geometric mean.

    Args:
        image: (N, 1, H, W), two sides of at least 16 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Refused: the score comes from the whole image.
        viewing_angle: That the image fills, degrees, > 0; by default that of 3.5 image heights.

    Returns:
        (N,), dB; infinite where no difference is seen, as between equal images.

    Raises:
        UsageError: Shapes differ, not grey, not 2-D, or too small; a mask; no viewing condition.
    """
    refuse_mask("NQM", mask)
    if not viewing_angle > 0:
        raise UsageError(f"viewing_angle must be a positive number; got {viewing_angle}")

    def formula(x: Tensor, y: Tensor, _: Tensor | None) -> Tensor:
        return _nqm(x[:, 0], y[:, 0], viewing_angle)

    return score_grey(
        "NQM",
        formula,
        image,
        reference,
        data_range=data_range,
        minimum_side=MINIMUM_SIDE,
    )


def _nqm(x: Tensor, y: Tensor, viewing_angle: float) -> Tensor:
    # Contrasts stand near their thresholds in many places, where rounding decides.
    background, *bands = _bands(torch.stack([x, y]).double())
    seen, missed = torch.zeros_like(background[0]), torch.zeros_like(background[0])
    for band, threshold in zip(bands, _thresholds(viewing_angle), strict=True):
        contrast = (band / background.clamp_min(DARKEST)).clamp(-1, 1)
        background = background + band
        shown = band * (contrast.abs() >= threshold)
        masked = (contrast[0] - contrast[1]).abs() < _least_change(contrast[1], threshold)
        instead = band[1] * (contrast[0].abs() >= threshold)
        seen = seen + shown[1]
        missed = missed + shown[1] - torch.where(masked, instead, shown[0])
    signal, noise = (total.square().sum((1, 2)).to(x.dtype) for total in (seen, missed))
    return decibels(signal, noise)


def _least_change(contrast: Tensor, threshold: float) -> Tensor:
    """Of a contrast that is seen beside it."""
    return MASKING_SLOPE * contrast.abs() + (MASKING_OFFSET - MASKING_SLOPE) * threshold


def _thresholds(viewing_angle: float) -> list[float]:
    """Least contrast that is seen in each band."""
    centre = 2.0 ** torch.arange(1, N_BANDS + 1, dtype=torch.float64) / viewing_angle
    thresholds: list[float] = (1 / (GREATEST_SENSITIVITY * sensitivity(centre))).tolist()
    return thresholds


def _bands(images: Tensor) -> Iterator[Tensor]:
    """What is coarse and the octave bands, coarse to fine, of the size of the images."""
    height, width = images.shape[-2:]
    spectrum = torch.fft.rfft2(images)
    for mask in _masks(height, width, images.device):
        yield torch.fft.irfft2(spectrum * mask, s=(height, width))


@lru_cache(maxsize=4)
def _masks(height: int, width: int, device: torch.device) -> Tensor:
    """Transfer functions: raised cosines of the logarithm of the frequency."""
    with torch.inference_mode(False), torch.no_grad():
        down, across = frequencies(height, width, device)
        cycles = torch.hypot(down, across) * math.sqrt(height * width)
        octaves = cycles.clamp_min(1e-9).log2()
        centres = torch.arange(1, N_BANDS + 1, dtype=torch.float64, device=device)
        distance = (octaves - centres[:, None, None]).clamp(-1, 1)
        coarse = (cycles + 2).log2().clamp_max(2) - 1
        return 0.5 + 0.5 * torch.cos(math.pi * torch.cat([coarse[None], distance]))
