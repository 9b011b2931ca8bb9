"""Noise of the receiver: Gaussian in both channels, Rician in the magnitude.

Gudbjartsson and Patz, Magn. Reson. Med. 34, 1995, doi:10.1002/mrm.1910340618.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch

from isocenter.artifacts._draw import integer, uniform, uniforms
from isocenter.artifacts._normals import normals
from isocenter.artifacts._presets import check_level
from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume
from isocenter.ops.regions import head_scale

__all__ = ["apply", "draw"]

SHARE = {1: (0.01, 0.015), 2: (0.03, 0.04), 3: (0.06, 0.08), 4: (0.12, 0.16)}
"""Standard deviation over the brightness of the head, preset ``physical``."""
PUBLISHED_SIGMA = {1: 100.0, 2: 400.0, 3: 800.0, 4: 3000.0}
"""Standard deviation in the scan's own units; up to 0.1 is added to it."""
PEAK = (0.5, 2.0)
"""Rise of the g-factor in the middle of the map, over the border."""
SPREAD = (0.3, 0.6)
"""Width of the rise over half the field of view."""


def draw(
    volume: Volume, level: int, *, preset: str = "physical", rng: torch.Generator
) -> dict[str, Any]:
    """Draw the strength, its map, and the number of the stream that the voxels come from.

    Preset ``physical``: a share of the head's brightness, the same everywhere or shaped by a
    smooth g-factor map of root mean square 1. Preset ``hsfnet-2025``: the published absolute
    standard deviations, whatever the scan's units.

    Args:
        volume: Scan to be damaged.
        level: 0 to 4.
        preset: ``"physical"`` or ``"hsfnet-2025"``.
        rng: Source of every draw.

    Raises:
        UnknownName: No such preset.
        UsageError: No such level.
    """
    check_level("noise", preset, level)
    base = {"preset": preset, "level": level}
    if level == 0:
        return base
    stream = integer(rng, 0, 2**53 - 1)
    if preset == "hsfnet-2025":
        low = PUBLISHED_SIGMA[level]
        return base | {"sigma": uniform(rng, low, low + 0.1), "stream": stream}
    share = uniform(rng, *SHARE[level])
    shaped = integer(rng, 0, 1)
    return base | {
        "share": share,
        "sigma": share * head_scale(volume.data),
        "g_factor": _draw_map(rng) if shaped else None,
        "stream": stream,
    }


def apply(volume: Volume, params: Mapping[str, Any]) -> Image3:
    """Add the drawn noise; made on the CPU, so that every device gets the same.

    Args:
        volume: The scan that ``params`` were drawn for.
        params: What :func:`draw` returned; ``sigma`` in the scan's own units.

    Returns:
        Image of the same shape: magnitude (``physical``) or plain sum (``hsfnet-2025``).
    """
    if params["level"] == 0:
        return volume.data
    noise = normals(
        volume.data.numel(),
        sigma=params["sigma"],
        stream=int(params["stream"]),
        n_channels=2 if params["preset"] == "physical" else 1,
    )
    noise = [channel.reshape(volume.shape).to(volume.data.device) for channel in noise]
    if params.get("g_factor") is not None:
        shape = _g_factor(volume, params["g_factor"])
        noise = [channel.mul_(shape) for channel in noise]
    real = noise[0].add_(volume.data)
    return torch.hypot(real, noise[1], out=real) if len(noise) > 1 else real


def _draw_map(rng: torch.Generator) -> dict[str, Any]:
    return {
        "peak": uniform(rng, *PEAK),
        "centre": uniforms(rng, 3, -0.3, 0.3),
        "spread": uniform(rng, *SPREAD),
    }


def _g_factor(volume: Volume, drawn: Mapping[str, Any]) -> Image3:
    """1 at the border and ``1 + peak`` in the middle, divided by its root mean square."""
    bumps = []
    for side, centre in zip(volume.shape, drawn["centre"], strict=True):
        place = (torch.arange(side, dtype=torch.float64) + 0.5) / side * 2 - 1
        bumps.append(torch.exp(-0.5 * ((place - centre) / drawn["spread"]) ** 2))
    mean = math.prod(float(bump.mean()) for bump in bumps)
    square = math.prod(float((bump**2).mean()) for bump in bumps)
    peak = float(drawn["peak"])
    rms = math.sqrt(1 + 2 * peak * mean + peak**2 * square)
    x, y, z = (bump.to(volume.data) for bump in bumps)
    return (1 + peak * x[:, None, None] * y[:, None] * z) / rms
