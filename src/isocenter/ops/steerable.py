"""Steerable pyramid: an image as waves of several sizes and directions, and back without loss."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from isocenter.ops.fourier import fft, ifft

__all__ = ["SteerablePyramid", "reconstruct", "steerable_bands", "steerable_pyramid"]

PLANE = (-2, -1)


@dataclass(frozen=True, eq=False)
class SteerablePyramid:
    """A tight frame: the squares of ``high``, ``low`` and real bands add up to the image's."""

    high: Float[Tensor, "n h w"]
    """What is finer than the first scale."""
    bands: tuple[Complex[Tensor, "n k _ _"], ...]
    """Per scale, fine to coarse, each half the size of the one before.  The directions k pass
    waves at the angles pi k / K from the width to the height.  The real part is the steerable
    pyramid; the imaginary part is its quadrature, so that the absolute value is an envelope."""
    low: Float[Tensor, "n _ _"]
    """What is coarser than the last scale."""
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class _Masks:
    high: Tensor
    bands: tuple[Tensor, ...]
    low: Tensor


def steerable_pyramid(
    images: Float[Tensor, "n h w"], *, levels: int, orientations: int
) -> SteerablePyramid:
    """Split images by size and direction of their waves.

    Simoncelli and Freeman, ICIP 1995, doi:10.1109/ICIP.1995.537667, built in the Fourier domain
    with quadrature as in Portilla and Simoncelli, IJCV 40, 2000, doi:10.1023/A:1026553619983.
    Borders are periodic.

    Args:
        images: Real, any sides, any units.
        levels: Number of scales, one octave each.
        orientations: Number of directions K, at least 2.
    """
    height, width = images.shape[1:]
    masks = _masks(height, width, levels, orientations, images.dtype, images.device)
    spectrum = fft(images, PLANE)
    bands = tuple(_band(spectrum, mask) for mask in masks.bands)
    low = ifft(_crop(spectrum, masks.low.shape) * masks.low, PLANE).real
    high = ifft(spectrum * masks.high, PLANE).real
    return SteerablePyramid(high, bands, low, (height, width))


def steerable_bands(
    images: Float[Tensor, "n h w"],
    *,
    levels: int,
    orientations: int,
    scales: Sequence[int],
    directions: Sequence[int],
) -> list[Complex[Tensor, "n k _ _"]]:
    """Some bands of :func:`steerable_pyramid`, without the cost of the others.

    Args:
        images: Real, any sides, any units.
        levels: Number of scales of the whole pyramid.
        orientations: Number of its directions.
        scales: Which to return; 0 is the finest.
        directions: Which to return, of every scale.
    """
    height, width = images.shape[1:]
    masks = _masks(height, width, levels, orientations, images.dtype, images.device)
    spectrum = fft(images, PLANE)
    return [_band(spectrum, masks.bands[scale][list(directions)]) for scale in scales]


def _band(spectrum: Tensor, mask: Tensor) -> Tensor:
    return ifft(_crop(spectrum, mask.shape[1:])[:, None] * mask, PLANE)


def reconstruct(pyramid: SteerablePyramid) -> Float[Tensor, "n h w"]:
    """The images whose pyramid this is; only the real parts of the bands count."""
    n_bands = pyramid.bands[0].shape[1]
    key = len(pyramid.bands), n_bands, pyramid.high.dtype, pyramid.high.device
    masks = _masks(*pyramid.size, *key)
    spectrum = fft(pyramid.high, PLANE) * masks.high
    spectrum = spectrum + _pad(fft(pyramid.low, PLANE) * masks.low, pyramid.size)
    for band, mask in zip(pyramid.bands, masks.bands, strict=True):
        # The one-sided mask is doubled; the adjoint of "real part of" needs it as it stands.
        part = (fft(band.real, PLANE) * mask.conj()).sum(1)
        spectrum = spectrum + _pad(part, pyramid.size)
    return ifft(spectrum, PLANE).real


@lru_cache(maxsize=4)
def _masks(
    height: int,
    width: int,
    levels: int,
    orientations: int,
    dtype: torch.dtype,
    device: torch.device,
) -> _Masks:
    """Transfer functions of one image size, zero frequency in the middle."""
    with torch.inference_mode(False), torch.no_grad():
        axes = [
            (torch.arange(side, dtype=torch.float64, device=device) - side // 2) / (side / 2)
            for side in (height, width)
        ]
        down, across = torch.meshgrid(*axes, indexing="ij")
        radius, angle = torch.hypot(down, across), torch.atan2(down, across)
        fans = torch.stack([_fan(angle, k, orientations) for k in range(orientations)])
        bands = []
        sides = [(height, width)]
        for level in range(levels):
            ring = _low_pass(radius, 0.5**level) * _high_pass(radius, 0.5 ** (level + 1))
            bands.append(_crop(ring * fans, sides[-1]).to(_complex(dtype)))
            sides.append(((sides[-1][0] + 1) // 2, (sides[-1][1] + 1) // 2))
        low = _crop(_low_pass(radius, 0.5**levels), sides[-1])
        return _Masks(_high_pass(radius, 1.0).to(dtype), tuple(bands), low.to(dtype))


def _complex(dtype: torch.dtype) -> torch.dtype:
    return torch.complex64 if dtype == torch.float32 else torch.complex128


def _high_pass(radius: Tensor, edge: float) -> Tensor:
    """1 from the edge on, 0 an octave below it, a raised cosine of log frequency between."""
    octaves = (radius.clamp_min(1e-9) / edge).log2().clamp(-1, 0)
    gain: Tensor = torch.cos(math.pi / 2 * octaves)
    return gain


def _low_pass(radius: Tensor, edge: float) -> Tensor:
    """The complement: its square and that of the high pass add up to 1."""
    octaves = (radius.clamp_min(1e-9) / edge).log2().clamp(-1, 0)
    return torch.sin(-math.pi / 2 * octaves)


def _fan(angle: Tensor, direction: int, orientations: int) -> Tensor:
    """cos(angle to a direction) ** (K - 1), on the half plane of the direction, doubled.

    Scaled so that the squares of all directions add up to 1 before halving and doubling; the
    power of i makes the image of a band real.
    """
    order = orientations - 1
    cosine = torch.cos(angle - math.pi * direction / orientations).clamp_min(0)
    gain = 2**order * math.factorial(order)
    gain /= math.sqrt(orientations * math.factorial(2 * order))
    fan: Tensor = (-1j) ** order * 2 * gain * cosine**order
    return fan


def _crop(centred: Tensor, sides: tuple[int, int] | torch.Size) -> Tensor:
    """The middle of a centred spectrum."""
    for axis, side in zip(PLANE, sides, strict=True):
        start = centred.shape[axis] // 2 - side // 2
        centred = centred.narrow(axis, start, side)
    return centred


def _pad(centred: Tensor, sides: tuple[int, int]) -> Tensor:
    """A centred spectrum in the middle of a larger one: the adjoint of :func:`_crop`."""
    edges = []
    for axis, side in ((-1, sides[1]), (-2, sides[0])):
        before = side // 2 - centred.shape[axis] // 2
        edges += [before, side - centred.shape[axis] - before]
    return torch.nn.functional.pad(centred, edges)
