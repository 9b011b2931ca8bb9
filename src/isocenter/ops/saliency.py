"""What draws the eye: two published saliency maps of grey images."""

import math
from functools import lru_cache

import torch
import torch.nn.functional
from jaxtyping import Float
from torch import Tensor

from isocenter.ops.phase import frequency_grid, log_gabor
from isocenter.ops.windows import gaussian, operator

__all__ = ["PRIOR_SIDE", "prior_saliency", "spectral_residual"]

RESIDUAL_SCALE = 0.25
RESIDUAL_SIGMA, RESIDUAL_TAPS = 3.8, 10
PRIOR_SIDE = 256
"""The priors are defined on this grid whatever the image's size."""
PRIOR_FREQUENCY, PRIOR_LOG_WIDTH = 0.021, 1.34
PRIOR_REACH = 145.0
"""Pixels of the grid: how far from the middle the eye wanders."""
ROUNDING = 1e-6
"""Saliency below this is what single precision makes of an even image."""


def spectral_residual(images: Float[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    """Saliency as what the log spectrum has above its local mean, from 0 to 1 per image.

    Hou and Zhang, CVPR 2007, doi:10.1109/CVPR.2007.383267, with the sizes of
    Zhang and Li, doi:10.1109/ICIP.2012.6467149.

    Args:
        images: Real, at least 40 pixels a side, any units.
    """
    height, width = images.shape[1:]
    down = _cubic(height, math.ceil(height * RESIDUAL_SCALE), RESIDUAL_SCALE, images)
    across = _cubic(width, math.ceil(width * RESIDUAL_SCALE), RESIDUAL_SCALE, images)
    small = down @ images @ across.T
    mean = small.mean((1, 2), keepdim=True)
    # Apart from its mean an even image is then empty, not rounding that the logarithm blows up.
    spectrum = torch.fft.fft2(small - mean)
    spectrum[:, :1, :1] += mean * small[0].numel()
    rounding = torch.finfo(images.dtype).eps
    size = spectrum.abs() + rounding
    log_size = size.log()
    wide = torch.nn.functional.pad(log_size[:, None], [1, 1, 1, 1], mode="replicate")
    residual = log_size - torch.nn.functional.avg_pool2d(wide, 3, stride=1)[:, 0]
    saliency = torch.fft.ifft2(spectrum / size * residual.exp())
    blurred = _blur(saliency.real.square() + saliency.imag.square())
    low, high = blurred.amin((1, 2), keepdim=True), blurred.amax((1, 2), keepdim=True)
    normal = (blurred - low) / (high - low + rounding)
    up = _cubic(len(down), height, height / len(down), images)
    back = _cubic(len(across), width, width / len(across), images)
    return up @ normal @ back.T


def prior_saliency(greys: Float[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    """Saliency of a grey image: middle frequencies near the centre, from 0 to 1 per image.

    0 everywhere if the image is even.

    Zhang, Gu and Li, ICIP 2013, doi:10.1109/ICIP.2013.6738036.  The third prior of the paper,
    warm colours, has nothing to say without colour and is 1 here.

    Args:
        greys: sRGB values from 0 (black) to 1 (white).
    """
    band, centre = _priors(greys.dtype, greys.device)
    grid = torch.nn.functional.interpolate(
        greys[:, None], (PRIOR_SIDE, PRIOR_SIDE), mode="bilinear", align_corners=False
    )
    waves = torch.fft.irfft2(torch.fft.rfft2(_lightness(grid)) * band, s=(PRIOR_SIDE, PRIOR_SIDE))
    saliency = torch.nn.functional.interpolate(
        waves.abs() * centre, greys.shape[1:], mode="bilinear", align_corners=True
    )[:, 0]
    low, high = saliency.amin((1, 2), keepdim=True), saliency.amax((1, 2), keepdim=True)
    normal = (saliency - low) / (high - low).clamp_min(ROUNDING)
    return torch.where(high - low > ROUNDING, normal, 0.0)


def _lightness(values: Tensor) -> Tensor:
    """(CIE L* + 16) / 116 of sRGB grey values from 0 to 1."""
    bright = ((values.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4
    luminance = torch.where(values > 0.04045, bright, values / 12.92)
    root = luminance.clamp_min(0.008856) ** (1 / 3)
    return torch.where(luminance > 0.008856, root, (903.3 * luminance + 16) / 116)


@lru_cache(maxsize=8)
def _priors(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Half-plane band-pass filter, and nearness to the centre."""
    with torch.inference_mode(False), torch.no_grad():
        radius = torch.hypot(*frequency_grid(PRIOR_SIDE, PRIOR_SIDE, device))
        band = log_gabor(radius, PRIOR_FREQUENCY, PRIOR_LOG_WIDTH) * (radius <= 0.5)
        # Rows and columns count from 1 in the published code, and the centre is the half side.
        at = torch.arange(1, PRIOR_SIDE + 1, dtype=torch.float64, device=device) - PRIOR_SIDE / 2
        centre = torch.exp(-(at[:, None] ** 2 + at**2) / PRIOR_REACH**2)
        return band[:, : PRIOR_SIDE // 2 + 1].to(dtype), centre.to(dtype)


def _blur(images: Tensor) -> Tensor:
    """Even Gaussian window, zeros beyond the border, centred half a pixel late."""
    height, width = images.shape[1:]
    key = images.dtype, images.device
    return _window(height, *key) @ images @ _window(width, *key).T


@lru_cache(maxsize=16)
def _window(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False), torch.no_grad():
        taps = gaussian(RESIDUAL_TAPS, RESIDUAL_SIGMA)
        return operator(side, taps, edges="zero").T.to(device, dtype)


def _cubic(n_in: int, n_out: int, scale: float, like: Tensor) -> Tensor:
    return _cubic_operator(n_in, n_out, scale, like.dtype, like.device)


@lru_cache(maxsize=32)
def _cubic_operator(
    n_in: int, n_out: int, scale: float, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Matrix (n_out, n_in) of cubic resampling, widened when it shrinks, mirrored at borders.

    Keys' kernel with a = -1/2; pixel centres at half-integers.
    """
    with torch.inference_mode(False), torch.no_grad():
        stretch = min(scale, 1.0)
        reach = math.ceil(2 / stretch) + 1
        centre = (torch.arange(n_out, dtype=torch.float64) + 0.5) / scale - 0.5
        taps = centre.floor()[:, None] + torch.arange(-reach, reach + 1)
        weights = _keys((centre[:, None] - taps).abs() * stretch)
        weights = weights / weights.sum(1, keepdim=True)
        mirrored = taps.remainder(2 * n_in)
        inside = torch.where(mirrored < n_in, mirrored, 2 * n_in - 1 - mirrored).long()
        matrix = torch.zeros(n_out, n_in, dtype=torch.float64)
        return matrix.scatter_add_(1, inside, weights).to(device, dtype)


def _keys(distance: Tensor) -> Tensor:
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return torch.where(distance <= 1, near, torch.where(distance <= 2, far, 0.0))
