"""Blur: a Gaussian point spread.

As TorchIO's ``RandomBlur`` (Pérez-García et al., doi:10.1016/j.cmpb.2021.106236).
"""

from collections.abc import Mapping
from typing import Any

import torch

from isocenter.artifacts._draw import choice, integer, uniform, uniforms, usable_axes
from isocenter.artifacts._presets import check_level
from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume
from isocenter.ops.filters import gaussian_blur

__all__ = ["apply", "draw"]

WIDTH = {1: (0.4, 0.6), 2: (0.8, 1.0), 3: (1.4, 1.8), 4: (2.5, 3.5)}
"""Standard deviation in mm, preset ``physical``."""
THIN = 1.5
"""An axis is blurred alone only when its voxels are at most this much longer than the shortest."""
PUBLISHED_WIDTH = {1: (0.8, 0.9), 2: (1.2, 1.3), 3: (2.5, 2.6), 4: (5.0, 5.1)}
"""Standard deviation in voxels."""


def draw(
    volume: Volume, level: int, *, preset: str = "physical", rng: torch.Generator
) -> dict[str, Any]:
    """Draw the width.

    Preset ``physical``: one standard deviation in mm, on all axes or on a fine one. Preset
    ``hsfnet-2025``: one per axis, in voxels, since the published code drops the affine.

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
    check_level("blur", preset, level)
    base = {"preset": preset, "level": level}
    if level == 0:
        return base
    axes = usable_axes(volume)
    if preset == "hsfnet-2025":
        return base | {"width": uniforms(rng, 3, *PUBLISHED_WIDTH[level]), "unit": "voxel"}
    width = uniform(rng, *WIDTH[level])
    finest = min(volume.spacing[axis] for axis in axes)
    # Across thick slices the same millimetres would not show.
    fine = [axis for axis in axes if volume.spacing[axis] <= THIN * finest]
    blurred = axes if integer(rng, 0, 1) else [choice(rng, fine)]
    widths = [width if axis in blurred else 0.0 for axis in range(3)]
    return base | {"width": widths, "unit": "mm"}


def apply(volume: Volume, params: Mapping[str, Any]) -> Image3:
    """Blur as drawn; the image is mirrored at its borders, the kernel cut at 4 sigma.

    Args:
        volume: The scan that ``params`` were drawn for.
        params: What :func:`draw` returned.

    Returns:
        Image of the same shape.
    """
    if params["level"] == 0:
        return volume.data
    unit = volume.spacing if params["unit"] == "mm" else (1.0, 1.0, 1.0)
    sigma = [width / size for width, size in zip(params["width"], unit, strict=True)]
    return gaussian_blur(volume.data, sigma)
