"""The power of a scan's 3-D spectrum, and how far each point stands out of its shell."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from isocenter.data.shapes import Image3

__all__ = ["N_SHELLS", "PowerSpectrum", "power_spectrum"]

N_SHELLS = 24
"""Shells of equal width from 0 to 1.2 of the Nyquist frequency; one more holds the corners."""
OUTERMOST = 1.2


@dataclass(frozen=True, eq=False)
class PowerSpectrum:
    """Half of the spectrum of a real image; the last axis holds no negative frequencies."""

    power: Tensor
    """(nx, ny, nz // 2 + 1), squared magnitude of the unnormalised transform."""
    radius: Tensor
    """Same shape; 1 = the Nyquist frequency of each axis."""
    above: Tensor
    """Same shape: log power over the mean log power of the shell."""
    levels: Tensor
    """(N_SHELLS + 1,) mean log power of each shell."""
    shape: tuple[int, int, int]
    """Of the image."""

    def frequency(self, axis: int) -> Tensor:
        """Frequencies along an axis, signed, 1 = Nyquist, shaped to broadcast."""
        return frequencies(self.shape, axis)

    def log_power(self) -> Tensor:
        """Natural logarithm of the power."""
        return self.power.clamp_min(1e-12 * float(self.power[0, 0, 0]) + 1e-30).log()


def power_spectrum(data: Image3) -> PowerSpectrum:
    """The power of an image's spectrum.

    Args:
        data: (x, y, z), any unit.
    """
    x, y, z = data.shape
    spectrum = torch.fft.rfftn(data)
    power = spectrum.real.square() + spectrum.imag.square()
    parts = [frequencies((x, y, z), axis).square() for axis in range(3)]
    radius = (parts[0] + parts[1] + parts[2]).sqrt().to(data.device)
    log_power = power.clamp_min(1e-12 * float(power[0, 0, 0]) + 1e-30).log()
    shells = (radius * (N_SHELLS / OUTERMOST)).long().clamp_max(N_SHELLS)
    levels = _means(log_power, shells)
    return PowerSpectrum(power, radius, log_power - levels[shells], levels, (x, y, z))


def frequencies(shape: Sequence[int], axis: int) -> Tensor:
    """Frequencies of one axis of a half spectrum, 1 = Nyquist, shaped to broadcast."""
    n = shape[axis]
    along = torch.fft.rfftfreq(n) if axis == len(shape) - 1 else torch.fft.fftfreq(n)
    shaped: Tensor = (2 * along).reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return shaped


def _means(values: Tensor, groups: Tensor) -> Tensor:
    flat = groups.flatten()
    counts = torch.bincount(flat, minlength=N_SHELLS + 1)
    sums = torch.bincount(flat, weights=values.flatten(), minlength=N_SHELLS + 1)
    means = sums / counts.clamp_min(1)
    # A small image has no points in some shells: they are like the one below.
    for i in range(1, N_SHELLS + 1):
        if counts[i] == 0:
            means[i] = means[i - 1]
    return means.to(values.dtype)


def log_or_floor(value: float, floor: float = 1e-6) -> float:
    """Logarithm of a number of 0 or more; what is not a number counts as 0."""
    return math.log(floor + (value if value > 0 else 0.0))
