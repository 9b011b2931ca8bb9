"""VSNR: contrast of the image over the contrast of the distortions that are seen."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from isocenter.errors import UsageError
from isocenter.metrics._grey import score_grey
from isocenter.metrics._pairs import refuse_mask
from isocenter.ops.wavelets import wavelet_bands

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "vsnr",
]

BETTER, RANGE, UNIT = "higher", (float("-inf"), float("inf")), "dB"
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 32, (2,), False
SOURCE = "doi:10.1109/TIP.2007.901820"
VALIDATED = "Not validated against the original, which is MATLAB code that could not be run."

LEVELS = 5
GAIN, GAMMA = 0.02874, 2.2
"""Of an sRGB screen: luminance is (gain * value) ** gamma."""
A0, A1, A2 = 59.8, -0.1258, -0.1087
"""Least visible ratio of contrasts at f cycles per degree: a0 f^(a2 ln f + a1)."""
SHARE = 0.04
"""Of the contrast of the distortion; the rest is the share of disrupted global precedence."""
WEBER = 0.01
"""Least change of the mean luminance that is seen, over the luminance."""
HALVINGS = 40
"""Of the interval of the visibility index, to below single precision."""


@dataclass(frozen=True, eq=False)
class _Screen:
    """What the eye meets when the reference is shown."""

    luminance: Float[Tensor, " n"]
    luminance_of_mean: Float[Tensor, " n"]
    """Of a flat image with the reference's mean value: what an error is laid upon."""
    contrast: Float[Tensor, " n"]
    scale_contrasts: Float[Tensor, "n 5"]
    value_per_contrast: Float[Tensor, " n"]


def vsnr(
    image: Tensor,
    reference: Tensor,
    *,
    data_range: float,
    mask: Tensor | None = None,
    pixels_per_degree: float = 32.0,
) -> Tensor:
    """Visual signal-to-noise ratio.

    Chandler and Hemami, IEEE TIP 16(9), 2007, doi:10.1109/TIP.2007.901820: distortions whose
    contrast lies below the threshold of the eye, five scales of 9/7 wavelets taken together, are
    not seen.  Of others the contrast (4 %) and the distance of its spread over the scales from
    the spread that spares coarse structure (96 %, over the root of 2) are added, and the value is
    20 log10 of the reference's contrast over this sum.  If only the brightness changes by 1 % or
    more, Weber's law stands in.  Values are shown on an sRGB screen, those beyond 0 to
    ``data_range`` at its ends.  Unlike in the released code they are not rounded to whole grey
    levels, and the brightness is compared with that of a flat image of the reference's mean, so
    that equal images are equally bright.

    Args:
        image: (N, 1, H, W), two sides of at least 32 pixels.
        reference: Same shape and units; 0 is black.
        data_range: Largest possible difference of two values, in the image's units: white.
        mask: Refused: the score comes from the whole image.
        pixels_per_degree: Of visual angle, > 0; 32 is a screen of 96 pixels an inch seen from
            19.1 inches.

    Returns:
        (N,), dB; infinite where no difference is seen, as between equal images; NaN where the
        reference is black.

    Raises:
        UsageError: Shapes differ, not grey, not 2-D, or too small; a mask; no viewing condition.
    """
    refuse_mask("VSNR", mask)
    if not pixels_per_degree > 0:
        raise UsageError(f"pixels_per_degree must be a positive number; got {pixels_per_degree}")

    def formula(x: Tensor, y: Tensor, _: Tensor | None) -> Tensor:
        frequency = pixels_per_degree * 0.5 ** torch.arange(1, LEVELS + 1, dtype=torch.float64)
        return _vsnr(x, y, frequency.to(x.device)).to(x.dtype)

    return score_grey(
        "VSNR",
        formula,
        image,
        reference,
        data_range=data_range,
        minimum_side=MINIMUM_SIDE,
    )


def _vsnr(x: Tensor, y: Tensor, frequency: Tensor) -> Tensor:
    screen = _screen(y)
    error = x - y + y.mean((1, 2, 3), keepdim=True)
    shown = _luminance(error)
    contrast = shown.std((1, 2, 3), correction=0).double() / screen.luminance
    visible = contrast > _total(screen, _least_ratios(torch.zeros_like(contrast), frequency))
    spread = _scale_contrasts(error.clamp(0, 255), screen.value_per_contrast)
    precedence = (_best_spread(screen, contrast, frequency) - spread).norm(dim=1)
    distortion = SHARE * contrast + (1 - SHARE) * precedence / math.sqrt(2)
    brighter = (shown.mean((1, 2, 3)).double() / screen.luminance_of_mean - 1).abs()
    # 20 log10(10^(1 / change) / 1.5), where only the brightness differs
    weber = 20 / brighter.clamp_min(WEBER) - 20 * math.log10(1.5)
    unseen = torch.where(brighter < WEBER, float("inf"), weber)
    value = torch.where(visible, 20 * torch.log10(screen.contrast / distortion), unseen)
    return torch.where(screen.luminance > 0, value, float("nan"))


def _luminance(values: Tensor) -> Tensor:
    """Of the screen, for values from 0 to 255."""
    return (GAIN * values.clamp(0, 255)) ** GAMMA


def _screen(y: Tensor) -> _Screen:
    shown = _luminance(y)
    luminance = shown.mean((1, 2, 3)).double()
    # The slope of the screen's curve at the mean value turns values into luminance.
    mean = y.mean((1, 2, 3)).double()
    per_contrast = luminance * (GAIN * mean) ** (1 - GAMMA) / (GAIN * GAMMA)
    return _Screen(
        luminance=luminance,
        luminance_of_mean=_luminance(mean),
        contrast=shown.std((1, 2, 3), correction=0).double() / luminance,
        scale_contrasts=_scale_contrasts(y, per_contrast),
        value_per_contrast=per_contrast,
    )


def _scale_contrasts(images: Tensor, value_per_contrast: Tensor) -> Tensor:
    """Root-mean-square contrast of every scale, its three directions together, (n, 5)."""
    power = torch.stack(
        [
            torch.stack([band.var((1, 2, 3), correction=0) for band in bands]).sum(0) / 4.0**level
            for level, bands in enumerate(wavelet_bands(images, levels=LEVELS), start=1)
        ],
        dim=1,
    )
    return power.double().sqrt() / value_per_contrast[:, None]


def _least_ratios(visibility: Tensor, frequency: Tensor) -> Tensor:
    """Ratio of contrasts, image over distortion, of every scale at a visibility index, (n, 5).

    At index 0 the distortion is just visible; towards 1 it grows, the coarse scales spared most.
    """
    index = visibility[:, None]
    power = ((-1 - A2) * index + A2) * frequency.log() + (1 - A1) * index + A1
    return (A0 * (1 - index)) * frequency**power


def _total(screen: _Screen, ratios: Tensor) -> Tensor:
    """Contrast of a distortion over all scales."""
    total: Tensor = (screen.scale_contrasts / ratios).norm(dim=1)
    return total


def _best_spread(screen: _Screen, contrast: Tensor, frequency: Tensor) -> Tensor:
    """Contrasts of the scales at the index whose total is the contrast of the distortion."""
    low, high = torch.zeros_like(contrast), torch.ones_like(contrast)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        small = _total(screen, _least_ratios(middle, frequency)) < contrast
        low, high = torch.where(small, middle, low), torch.where(small, high, middle)
    return screen.scale_contrasts / _least_ratios(low, frequency)
