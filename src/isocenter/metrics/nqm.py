"""NQM: signal over the noise that shows beside the contrast around it."""

import math
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
    bands = _bands(torch.stack([x, y]).double())
    contrast = _contrasts(bands)
    own, true = bands[:, :, 1:]
    own_contrast, true_contrast = contrast
    threshold = _thresholds(viewing_angle).to(bands)[:, None, None]
    needed = threshold * (MASKING_SLOPE * (true_contrast.abs() / threshold - 1) + MASKING_OFFSET)
    changed = (own_contrast - true_contrast).abs() >= needed
    shown = torch.where(changed, own, true) * (own_contrast.abs() >= threshold)
    seen = true * (true_contrast.abs() >= threshold)
    signal, noise = (
        total.sum(1).square().sum((1, 2)).to(x.dtype) for total in (seen, seen - shown)
    )
    return decibels(signal, noise)


def _thresholds(viewing_angle: float) -> Tensor:
    """Least contrast that is seen in each band."""
    centre = 2.0 ** torch.arange(1, N_BANDS + 1, dtype=torch.float64) / viewing_angle
    return 1 / (GREATEST_SENSITIVITY * sensitivity(centre))


def _contrasts(bands: Tensor) -> Tensor:
    """Every band but the coarsest over the sum of all coarser ones, -1 to 1."""
    background = bands.cumsum(2)[:, :, :-1].clamp_min(DARKEST)
    return (bands[:, :, 1:] / background).clamp(-1, 1)


def _bands(images: Tensor) -> Tensor:
    """What is coarse and the octave bands, coarse to fine: (..., bands + 1, h, w)."""
    height, width = images.shape[-2:]
    masks = _masks(height, width, images.device)
    return torch.fft.irfft2(torch.fft.rfft2(images)[..., None, :, :] * masks, s=(height, width))


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
