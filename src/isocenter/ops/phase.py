"""Phase congruency: where the waves of an image agree in phase, whatever its contrast."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from isocenter.ops._kernels_phase import agreement
from isocenter.ops._threads import in_threads
from isocenter.ops.windows import compiles

__all__ = [
    "LogGaborBank",
    "angular_fan",
    "frequency_grid",
    "log_gabor",
    "log_gabor_bank",
    "low_pass",
    "magnitude",
    "phase_congruency",
]

N_SCALES = 4
N_ORIENTATIONS = 4
SHORTEST_WAVE = 6.0
"""Pixels; each further scale is twice as long."""
SIGMA_ON_CENTRE = 0.55
"""Width of the radial Gaussian over its centre frequency."""
SPREAD = 1.2
"""Angle between orientations over the width of the angular Gaussian."""
CUTOFF, ORDER = 0.45, 15
"""Butterworth low pass that empties the corners of the spectrum."""
NOISE_DEVIATIONS = 2.0
NOISE_RESCALE = 1.7
"""The noise estimate holds for an older measure of congruency and is divided by this."""
TINY = 1e-24
"""Under a root: keeps the slope at zero finite and the value below rounding."""


@dataclass(frozen=True, eq=False)
class LogGaborBank:
    """Filters for one image size."""

    filters: Float[Tensor, "o s h w"]
    """Transfer functions of orientations and scales, zero frequency first."""
    noise_gain: Float[Tensor, " o"]
    """Noise threshold over the root of the median power in the finest scale."""


def frequency_grid(
    height: int, width: int, device: torch.device | None = None
) -> tuple[Float[Tensor, "h w"], Float[Tensor, "h w"]]:
    """Frequencies down and across in cycles per pixel, float64, zero frequency first.

    An odd axis is measured as if it had one pixel less, so that it too reaches one half.
    """
    axes = [
        torch.fft.fftfreq(side, 1 / side, dtype=torch.float64, device=device) / (side - side % 2)
        for side in (height, width)
    ]
    down, across = torch.meshgrid(*axes, indexing="ij")
    return down, across


def log_gabor(radius: Tensor, centre: float, log_width: float) -> Tensor:
    """exp(-log(radius / centre)^2 / (2 log_width^2)); 0 at the zero frequency."""
    filled = torch.where(radius > 0, radius, 1.0)
    gain = torch.exp(-((filled / centre).log() ** 2) / (2 * log_width**2))
    return torch.where(radius > 0, gain, 0.0)


@lru_cache(maxsize=8)
def log_gabor_bank(
    height: int, width: int, dtype: torch.dtype, device: torch.device
) -> LogGaborBank:
    """Four orientations times four scales, each filter on one half of the plane.

    Kovesi, Videre 1(3), 1999; parameters of Zhang et al., doi:10.1109/TIP.2011.2109730.
    """
    with torch.inference_mode(False), torch.no_grad():
        down, across = frequency_grid(height, width, device)
        radius, angle = torch.hypot(down, across), torch.atan2(-down, across)
        kept = low_pass(radius)
        width_of_band = math.log(SIGMA_ON_CENTRE)
        bands = torch.stack(
            [
                kept * log_gabor(radius, 1 / (SHORTEST_WAVE * 2**scale), width_of_band)
                for scale in range(N_SCALES)
            ]
        )
        filters = torch.stack(
            [angular_fan(angle, o, N_ORIENTATIONS, SPREAD) * bands for o in range(N_ORIENTATIONS)]
        )
        return LogGaborBank(filters.to(dtype), _noise_gain(filters).to(dtype))


def low_pass(radius: Tensor) -> Tensor:
    """Butterworth filter that empties the corners of the spectrum."""
    return 1 / (1 + (radius / CUTOFF) ** (2 * ORDER))


def angular_fan(angle: Tensor, orientation: int, n_orientations: int, spread: float) -> Tensor:
    """Gaussian of the angle to one of several orientations, on one half of the plane.

    Args:
        angle: Radians, any shape.
        orientation: Which, from 0.
        n_orientations: Of half a turn.
        spread: Angle between orientations over the width of the Gaussian.
    """
    turned = angle - orientation * math.pi / n_orientations
    distance = torch.atan2(turned.sin(), turned.cos())
    sigma = math.pi / n_orientations / spread
    return torch.exp(-(distance**2) / (2 * sigma**2))


def _noise_gain(filters: Tensor) -> Tensor:
    """What Gaussian noise adds to the energy, for a median power of 1 in the finest scale.

    The power of noise is Rayleigh distributed: its mean is the median over log 2.  Summed over
    scales its energy is that of the sum of the filters' even parts.
    """
    even = torch.fft.ifft2(filters).real * math.sqrt(filters[0, 0].numel())
    energy = even.sum(1).square().sum((-2, -1))
    power = 1 / math.log(2) / filters[:, 0].square().sum((-2, -1))
    rayleigh = torch.sqrt(power * energy)
    mean, deviation = math.sqrt(math.pi / 2), math.sqrt(2 - math.pi / 2)
    return rayleigh * (mean + NOISE_DEVIATIONS * deviation) / NOISE_RESCALE


def phase_congruency(images: Float[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    """Energy of the sum of all waves over the sum of their amplitudes, noise taken off.

    Kovesi, Videre 1(3), 1999, with the noise threshold and the parameters that Zhang et al. use,
    doi:10.1109/TIP.2011.2109730.

    Args:
        images: Real, any units.

    Returns:
        From 0 (no structure) to 1 (all waves in phase).
    """
    bank = log_gabor_bank(*images.shape[1:], images.dtype, images.device)
    # The filters ignore the mean; without it the spectrum keeps its digits.
    spectrum = torch.fft.fft2(images - images.mean((1, 2), keepdim=True))[:, None]
    rounding = torch.finfo(images.dtype).eps
    agreed = _compiled_agreement if compiles(images) else _agreement
    energy, amplitude = torch.zeros_like(images), torch.zeros_like(images)
    for filters, noise_gain in zip(bank.filters, bank.noise_gain, strict=True):
        agreeing, finest, sizes = agreed(torch.fft.ifft2(spectrum * filters), rounding)
        noise = noise_gain * _median(finest.flatten(1))[:, None, None]
        energy = energy + (agreeing - noise).clamp_min(0)
        amplitude = amplitude + sizes
    return (energy + rounding) / (amplitude + rounding)


def _agreement(waves: Tensor, rounding: float) -> tuple[Tensor, Tensor, Tensor]:
    """Waves (n, scales, h, w): energy in phase, amplitude of the finest, sum of amplitudes."""
    sizes, total = magnitude(waves), waves.sum(1)
    length = magnitude(total) + rounding
    # Along the mean phase the waves add up to the length; across it they disagree.
    across = (waves * (total.conj() * (1 / length))[:, None]).imag.abs().sum(1)
    return length - across, sizes[:, 0], sizes.sum(1)


def _compiled_agreement(waves: Tensor, rounding: float) -> tuple[Tensor, Tensor, Tensor]:
    n_images, _, height, width = waves.shape
    parts = torch.view_as_real(waves.contiguous()).flatten(3)
    found = parts.new_empty(3, n_images, height, width)
    limits = parts.new_tensor([rounding, TINY]).numpy()
    numbers = parts.numpy(), limits, *found.numpy()
    in_threads(lambda *part: agreement(*numbers, *part), n_images * height)
    agreeing, finest, sizes = found
    return agreeing, finest, sizes


def magnitude(waves: Tensor) -> Tensor:
    """Absolute values: three times the speed of the library's, which guards against overflow."""
    power = torch.addcmul(waves.real.new_tensor(TINY), waves.real, waves.real)
    return torch.addcmul(power, waves.imag, waves.imag).sqrt()


def _median(values: Tensor) -> Tensor:
    """Lower median of every row; numpy finds it several times faster and knows no gradient."""
    if values.requires_grad or values.device.type != "cpu":
        return values.median(1).values
    middle = (values.shape[1] - 1) // 2
    return torch.from_numpy(np.partition(values.numpy(), middle, axis=1)[:, middle])
