"""MAD: most apparent distortion, what is detected and how the appearance changes."""

import math
from functools import lru_cache

import torch
import torch.nn.functional
from torch import Tensor

from isocenter.errors import UsageError
from isocenter.metrics._grey import score_grey
from isocenter.metrics._pairs import refuse_mask
from isocenter.ops.contrast_sensitivity import low_pass_sensitivity
from isocenter.ops.phase import angular_fan, frequency_grid, log_gabor, magnitude

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "HAS_THRESHOLD",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "mad",
]

BETTER, RANGE, UNIT = "lower", (0.0, float("inf")), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 16, (2,), False
HAS_THRESHOLD = True
SOURCE = "doi:10.1117/1.3267105"
VALIDATED = "Not validated against the original, which is MATLAB code that could not be run."

BLOCK, STEP = 16, 4
"""Pixels a side of a block, and from one block to the next."""
SCREEN_GAIN, SCREEN_GAMMA = 0.02874, 2.2
DARKEST = 0.5
"""Mean lightness below which nothing is detected."""
LEAST_CONTRAST = -5.0
"""Natural logarithm of the contrast below which nothing is detected or masks."""
DETECTION_SCALE = 200.0
MIDDLE, WIDTH = 2.55, 3.35
"""Decimal logarithm of the detection index where both indices count alike, and its spread."""
SCALE_WEIGHTS = (0.5, 0.75, 1.0, 5.0, 6.0)
"""Of the scales of the appearance, fine to coarse; over their sum, 13.25."""
N_DIRECTIONS = 4
FINEST_WAVE, WAVE_RATIO = 3.0, 3.0
SIGMA_ON_CENTRE = 0.55
SPREAD = 1.5
"""Angle between directions over the width of the angular Gaussian."""
FLAT = 0.1
"""Standard deviation, of 255, below which the shape of a distribution fades out."""


def mad(
    image: Tensor,
    reference: Tensor,
    *,
    data_range: float,
    mask: Tensor | None = None,
    pixels_per_degree: float = 64.0,
) -> Tensor:
    """Most apparent distortion: 0 is best.

    Larson and Chandler, Journal of Electronic Imaging 19(1), 2010, doi:10.1117/1.3267105:
    d = detection^a * appearance^(1 - a), where a falls from 1 to 0 as more is detected.
    Detection is the root mean square over blocks of 16 x 16 pixels of their mean squared error
    times the logarithm of how far the error's contrast, as the eye sees it, stands above that of
    the reference.  Appearance is the same over the differences of standard deviation, skewness
    and kurtosis of 5 x 4 log-Gabor filters, coarse ones weighted most.

    As in the released code the squared errors are those of the values from 0 to 255, times 200,
    and the finest wave has 32 cycles per degree.  Unlike it, blocks at the border count, and
    skewness and kurtosis fade out where a filter sees less than 0.1 of 255.

    Args:
        image: (N, 1, H, W), two sides of at least 16 pixels.
        reference: Same shape and units; 0 is black.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Refused: the score comes from the whole image.
        pixels_per_degree: Of visual angle, > 0.

    Returns:
        (N,), from 0 (no distortion is detected) to some hundreds.

    Raises:
        UsageError: Shapes differ, not grey, not 2-D, or too small; a mask; no viewing condition.
    """
    refuse_mask("MAD", mask)
    if not pixels_per_degree > 0:
        raise UsageError(f"pixels_per_degree must be a positive number; got {pixels_per_degree}")

    def formula(x: Tensor, y: Tensor, _: Tensor | None) -> Tensor:
        detected, changed = _detection(x, y, pixels_per_degree), _appearance(x, y)
        share = torch.sigmoid((MIDDLE - detected.log10()) / WIDTH)
        return detected**share * changed ** (1 - share)

    return score_grey(
        "MAD",
        formula,
        image,
        reference,
        data_range=data_range,
        minimum_side=MINIMUM_SIDE,
    )


def _detection(x: Tensor, y: Tensor, pixels_per_degree: float) -> Tensor:
    height, width = x.shape[2:]
    gain = low_pass_sensitivity(height, width, pixels_per_degree, x.dtype, x.device)
    light = (SCREEN_GAIN * torch.cat([x, y]).clamp_min(0)) ** (SCREEN_GAMMA / 3)
    own, true = torch.fft.irfft2(torch.fft.rfft2(light) * gain, s=(height, width)).chunk(2)
    mean, _ = _spread(true, BLOCK)
    _, error = _spread(own - true, BLOCK)
    lit = mean > DARKEST
    # Where the reference has no contrast to speak of, the error's is measured from the least.
    above = error.log() - torch.maximum(
        _calmest(true).log(), mean.clamp_min(DARKEST).log() + LEAST_CONTRAST
    )
    squared = _over_blocks(_over_cells(_cells((x - y) ** 2)), BLOCK)
    return DETECTION_SCALE * _root_mean_square(torch.where(lit, above.relu(), 0) * squared)


def _calmest(images: Tensor) -> Tensor:
    """Least standard deviation of the four quarters of every block."""
    _, quarters = _spread(images, BLOCK // 2)
    return -torch.nn.functional.max_pool2d(-quarters, 2, 1, dilation=BLOCK // 2 // STEP)


def _appearance(x: Tensor, y: Tensor) -> Tensor:
    height, width = x.shape[2:]
    both = torch.cat([x, y])
    # The filters ignore the mean; without it the spectrum keeps its digits.
    spectrum = torch.fft.fft2(both - both.mean((2, 3), keepdim=True))
    change = torch.zeros((), dtype=torch.float64, device=x.device)
    weights = torch.tensor(SCALE_WEIGHTS, dtype=torch.float64, device=x.device)[:, None, None]
    for filters in _log_gabors(height, width, x.dtype, x.device):
        shape = _shape(magnitude(torch.fft.ifft2(spectrum * filters)))
        deviation, skewness, kurtosis = (
            (own - true).abs() for own, true in (each.chunk(2) for each in shape)
        )
        change = change + (weights * (deviation + 2 * skewness + kurtosis)).sum(1, keepdim=True)
    return _root_mean_square(change / sum(SCALE_WEIGHTS)).to(x.dtype)


@lru_cache(maxsize=4)
def _log_gabors(height: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Transfer functions of directions and scales, zero frequency first, (4, 5, h, w)."""
    with torch.inference_mode(False), torch.no_grad():
        down, across = frequency_grid(height, width, device)
        radius, angle = torch.hypot(down, across), torch.atan2(-down, across)
        rings = torch.stack(
            [
                log_gabor(radius, 1 / (FINEST_WAVE * WAVE_RATIO**scale), math.log(SIGMA_ON_CENTRE))
                for scale in range(len(SCALE_WEIGHTS))
            ]
        )
        fans = [angular_fan(angle, o, N_DIRECTIONS, SPREAD) for o in range(N_DIRECTIONS)]
        return (torch.stack(fans)[:, None] * rings).to(dtype)


def _root_mean_square(blocks: Tensor) -> Tensor:
    return blocks.square().flatten(1).mean(1).sqrt()


def _spread(images: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of every block."""
    mean, square = _moments(images, 2)
    centre = _over_blocks(mean, block)
    variance = _over_blocks(square + mean**2, block) - centre**2
    return centre.to(images.dtype), variance.clamp_min(0).sqrt().to(images.dtype)


def _shape(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Standard deviation, skewness and kurtosis of every block, in double precision."""
    m, c2, c3, c4 = _moments(images, 4)
    # Moments about zero can be averaged over blocks; then they are taken about the mean again.
    p1, p2, p3, p4 = (
        _over_blocks(each, BLOCK)
        for each in (
            m,
            c2 + m**2,
            c3 + 3 * m * c2 + m**3,
            c4 + 4 * m * c3 + 6 * m**2 * c2 + m**4,
        )
    )
    variance = (p2 - p1**2).clamp_min(0)
    third = p3 - 3 * p1 * p2 + 2 * p1**3
    fourth = p4 - 4 * p1 * p3 + 6 * p1**2 * p2 - 3 * p1**4
    floor = variance + FLAT**2
    return variance.sqrt(), third / floor**1.5, fourth / floor**2


def _moments(images: Tensor, order: int) -> list[Tensor]:
    """Mean of every cell, and the mean powers up to ``order`` of what differs from it.

    In double precision from here on: the powers of large and even places would cancel.
    """
    cells = _cells(images)
    mean = _over_cells(cells)
    rest = cells - mean[..., :, None, :, None]
    moments, power = [mean], rest
    for _ in range(order - 1):
        power = power * rest
        moments.append(_over_cells(power))
    return [each.double() for each in moments]


def _cells(images: Tensor) -> Tensor:
    """Squares of 4 x 4 pixels of (n, c, h, w): (n, c, rows, 4, columns, 4)."""
    rows, columns = (side // STEP for side in images.shape[2:])
    whole = images[..., : rows * STEP, : columns * STEP]
    cells: Tensor = whole.unflatten(3, (columns, STEP)).unflatten(2, (rows, STEP))
    return cells


def _over_cells(cells: Tensor) -> Tensor:
    return cells.sum(3).sum(4) / STEP**2


def _over_blocks(cells: Tensor, block: int) -> Tensor:
    """Means of the blocks that begin at every cell."""
    return torch.nn.functional.avg_pool2d(cells, block // STEP, 1)
