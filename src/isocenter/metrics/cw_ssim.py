"""CW-SSIM: structural similarity that small shifts and rotations leave alone."""

import torch
import torch.nn.functional
from torch import Tensor

from isocenter.metrics._grey import score_grey
from isocenter.metrics._pairs import refuse_mask
from isocenter.ops.steerable import steerable_bands
from isocenter.ops.windows import gaussian

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "cw_ssim",
]

BETTER, RANGE, UNIT = "higher", (0.0, 1.0), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 64, (2,), True
SOURCE = "doi:10.1109/TIP.2009.2025923"
VALIDATED = "Not validated against the original, which runs in MATLAB only."

LEVELS, ORIENTATIONS = 4, 8
WINDOW = 7
K = 1e-6
"""Keeps places without any wave defined: there two images are equal."""
TINY = 1e-24
"""Under a root: keeps the slope at zero finite."""


def cw_ssim(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """Complex wavelet structural similarity.

    Sampat et al., IEEE TIP 18(11), 2009, doi:10.1109/TIP.2009.2025923: the coherence 2 |sum c_x
    c_y*| / sum (|c_x|^2 + |c_y|^2) of the complex coefficients in windows of 7 x 7, on the
    coarsest of four scales, in eight directions; the middle of the image weighs more, by a
    Gaussian of a quarter of its size.  A shift turns the phase of all coefficients of a window
    alike, which does not count.

    Args:
        image: (N, 1, H, W), two sides of at least 64 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Refused: the score comes from coarse waves of the whole image.

    Returns:
        (N,), from 0 to 1; 1 for equal images.

    Raises:
        UsageError: Shapes differ, not grey, not 2-D, or too small; or a mask.
    """
    refuse_mask("CW-SSIM", mask)
    return score_grey(
        "CW-SSIM",
        _cw_ssim,
        image,
        reference,
        data_range=data_range,
        minimum_side=MINIMUM_SIDE,
    )


def _cw_ssim(x: Tensor, y: Tensor, _: Tensor | None) -> Tensor:
    both = torch.cat([x, y])[:, 0]
    # The bands ignore the mean; without it an even image leaves no rounding in them.
    both = both - both.mean((1, 2), keepdim=True)
    (bands,) = steerable_bands(
        both,
        levels=LEVELS,
        orientations=ORIENTATIONS,
        scales=[LEVELS - 1],
        directions=range(ORIENTATIONS),
    )
    wave_x, wave_y = bands.chunk(2)
    cross = wave_x * wave_y.conj()
    energy = wave_x.real**2 + wave_x.imag**2 + wave_y.real**2 + wave_y.imag**2
    real, imaginary, energy = _windows(torch.stack([cross.real, cross.imag, energy]))
    coherence = (real**2 + imaginary**2).clamp_min(TINY).sqrt()
    quality = (2 * coherence + K) / (energy + K)
    down, across = (gaussian(side, side / 4).to(x) for side in quality.shape[2:])
    return torch.einsum("nkij,i,j->nk", quality, down, across).mean(1)


def _windows(stack: Tensor) -> Tensor:
    """Sums over every window that fits, along the last two axes."""
    planes = stack.flatten(0, 1)
    sums = torch.nn.functional.avg_pool2d(planes, WINDOW, stride=1) * WINDOW**2
    windows: Tensor = sums.unflatten(0, stack.shape[:2])
    return windows
