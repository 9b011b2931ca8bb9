"""Spikes (herringbone): single points of k-space are far too strong.

One point of k-space is one plane wave through the whole image.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from isocenter.artifacts._draw import integer, uniform, uniforms, usable_axes
from isocenter.artifacts._presets import check_level
from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume
from isocenter.ops._memory import empty

__all__ = ["apply", "draw"]

HEIGHT = {1: (0.3, 0.5), 2: (0.6, 0.9), 3: (1.0, 1.4), 4: (1.8, 2.5)}
"""Height over the maximum of the untouched spectrum, preset ``physical``."""
COUNT = (1, 3)
RADIUS = (0.1, 0.9)
"""Distance from the centre of k-space over the Nyquist frequency."""
PUBLISHED_HEIGHT = {1: (0.8, 1.0), 2: (1.0, 1.2), 3: (1.2, 1.4), 4: (2.0, 2.2)}
PUBLISHED_COUNT = {1: (1, 3), 2: (3, 5), 3: (6, 8), 4: (6, 8)}


def draw(
    volume: Volume, level: int, *, preset: str = "physical", rng: torch.Generator
) -> dict[str, Any]:
    """Draw the spikes.

    Preset ``physical``: 1 to 3 spikes of one height over the maximum of the untouched
    spectrum, of any phase, anywhere from 0.1 to 0.9 of Nyquist. Preset ``hsfnet-2025``: as
    TorchIO's ``RandomSpike`` with the published ranges: anywhere, each relative to the
    maximum after the spike before it.

    Args:
        volume: Scan to be damaged.
        level: 0 to 4.
        preset: ``"physical"`` or ``"hsfnet-2025"``.
        rng: Source of every draw.

    Raises:
        UnknownName: No such preset.
        UsageError: No such level.
        BadVolume: A single voxel.
    """
    check_level("spike", preset, level)
    base = {"preset": preset, "level": level}
    if level == 0:
        return base
    axes = usable_axes(volume)
    if preset == "hsfnet-2025":
        n_spikes = integer(rng, *PUBLISHED_COUNT[level])
        height = uniform(rng, *PUBLISHED_HEIGHT[level])
        places = [_anywhere(volume.shape, rng) for _ in range(n_spikes)]
        return base | {"height": height, "places": places, "phases": [0.0] * n_spikes}
    n_spikes = integer(rng, *COUNT)
    return base | {
        "height": uniform(rng, *HEIGHT[level]),
        "places": [_on_sphere(volume.shape, axes, rng) for _ in range(n_spikes)],
        "phases": uniforms(rng, n_spikes, 0.0, 2 * math.pi),
    }


def apply(volume: Volume, params: Mapping[str, Any]) -> Image3:
    """Add the drawn spikes.

    Args:
        volume: The scan that ``params`` were drawn for.
        params: What :func:`draw` returned; ``places`` are k-space indices from the centre.

    Returns:
        Image of the same shape: magnitude (``physical``) or real part (``hsfnet-2025``).
    """
    if params["level"] == 0:
        return volume.data
    places = [tuple(place) for place in params["places"]]
    compound = params["preset"] == "hsfnet-2025"
    heights = _heights(volume.data, places, params["height"], compound=compound)
    shape = volume.shape
    factors = [_wave_factors(shape, place, volume.data.device) for place in places]
    amplitudes = [
        height / volume.data.numel() * complex(math.cos(phase), math.sin(phase))
        for height, phase in zip(heights, params["phases"], strict=True)
    ]
    across = torch.stack(
        [a * (f[0][:, None] * f[1]).reshape(-1) for a, f in zip(amplitudes, factors, strict=True)]
    )
    along = torch.stack([f[2] for f in factors])
    real = _real_sum(volume.data, across, along)
    if compound:
        return real
    return torch.hypot(real, _imaginary_sum(volume.data, across, along), out=real)


def _anywhere(shape: tuple[int, int, int], rng: torch.Generator) -> list[int]:
    return [int(uniform(rng, 0.0, 1.0) * side) - side // 2 for side in shape]


def _on_sphere(shape: tuple[int, int, int], axes: list[int], rng: torch.Generator) -> list[int]:
    """A k-space index other than the centre, in a direction that favours no axis."""
    radius = uniform(rng, *RADIUS)
    normal = torch.randn(3, dtype=torch.float64, generator=rng).tolist()
    length = math.sqrt(sum(normal[axis] ** 2 for axis in axes))
    place = [0, 0, 0]
    for axis in axes:
        place[axis] = round(radius * normal[axis] / length * (shape[axis] // 2))
    if not any(place):
        place[max(axes, key=lambda axis: shape[axis])] = 1
    return place


def _heights(
    data: Image3, places: list[tuple[int, ...]], height: float, *, compound: bool
) -> list[float]:
    """Height of every spike in the unnormalised spectrum."""
    wanted = [(0, 0, 0), *(dict.fromkeys(places) if compound else ())]
    spectrum = dict(zip(wanted, _spectrum_at(data, wanted), strict=True))
    # The largest value of a non-negative image's spectrum is its centre, the sum.
    positive = float(data.min()) >= 0
    largest = abs(spectrum[0, 0, 0]) if positive else float(torch.fft.rfftn(data).abs().max())
    if not compound:
        return [height * largest] * len(places)
    heights = []
    for place in places:
        heights.append(height * largest)
        spectrum[place] += heights[-1]
        largest = max(largest, abs(spectrum[place]))
    return heights


def _spectrum_at(data: Image3, places: list[tuple[int, ...]]) -> list[complex]:
    """Points of the unnormalised spectrum, all from one pass over the image."""
    factors = [_wave_factors(data.shape, place, data.device) for place in places]
    along = torch.stack([part for f in factors for part in (f[2].real, -f[2].imag)], dim=1)
    sums = (data.reshape(-1, data.shape[2]) @ along.float()).double()
    planes = torch.view_as_complex(sums.reshape(*data.shape[:2], -1, 2))
    return [
        complex((x.conj() @ planes[..., i] @ y.conj()).item())
        for i, (x, y, _) in enumerate(factors)
    ]


def _wave_factors(
    shape: tuple[int, ...], place: tuple[int, ...], device: torch.device
) -> list[Tensor]:
    """A plane wave as the product of three complex exponentials, one per axis."""
    return [
        torch.exp(2j * torch.pi * index / side * torch.arange(side, dtype=torch.float64)).to(device)
        for index, side in zip(place, shape, strict=True)
    ]


def _real_sum(data: Image3, across: Tensor, along: Tensor) -> Image3:
    left = torch.cat([across.real, -across.imag]).float()
    right = torch.cat([along.real, along.imag]).float()
    real = empty(data.shape, data.device)
    rows = data.reshape(-1, data.shape[2])
    torch.addmm(rows, left.T, right, out=real.view(rows.shape))
    return real


def _imaginary_sum(data: Image3, across: Tensor, along: Tensor) -> Image3:
    left = torch.cat([across.imag, across.real]).float()
    right = torch.cat([along.real, along.imag]).float()
    return (left.T @ right).reshape(data.shape)
