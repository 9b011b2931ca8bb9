"""Thick noisy slices, as a low-field scanner gives them, back on the scan's own grid.

Lin et al., Medical Image Analysis 87:102807, 2023, doi:10.1016/j.media.2023.102807; without its
change of contrast, which needs tissue maps (see :func:`isocenter.artifacts.low_field_scan`).
"""

from collections.abc import Mapping
from typing import Any

import torch

from isocenter.artifacts._draw import choice, integer, uniform
from isocenter.artifacts._low_field_scan import noisy, slice_axis
from isocenter.artifacts._presets import check_level
from isocenter.data.random import generator
from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume
from isocenter.ops.regions import head_scale
from isocenter.ops.thick_slices import Acquisition, interpolation, thick_slices
from isocenter.ops.windows import multiply_along

__all__ = ["apply", "draw"]

RATIO = {1: 2, 2: 4, 3: 6, 4: 8}
"""Fine slices in the distance of two thick ones."""
SHARE = {1: (0.005, 0.01), 2: (0.01, 0.02), 3: (0.015, 0.025), 4: (0.02, 0.04)}
"""Noise: standard deviation as a share of the head's brightness."""
THICKNESS = (0.7, 1.0)
"""Of a slice, as a share of the distance between two; the rest is a gap."""


def draw(
    volume: Volume, level: int, *, preset: str = "physical", rng: torch.Generator
) -> dict[str, Any]:
    """Draw thickness, profile and noise; the slices lie across the largest voxel side.

    Args:
        volume: Scan to be damaged.
        level: 0 to 4.
        preset: ``"physical"``.
        rng: Source of every draw.

    Raises:
        UnknownName: No such preset.
        UsageError: No such level.
        BadVolume: No axis has enough slices.
    """
    check_level("low_field", preset, level)
    base = {"preset": preset, "level": level}
    if level == 0:
        return base
    axis = slice_axis(volume)
    if volume.shape[axis] < 2:
        axis = max(range(3), key=lambda one: volume.shape[one])
    ratio = min(RATIO[level], volume.shape[axis])
    if ratio < 2:
        raise BadVolume("a single voxel has no slices that could be thicker: give an image")
    share = uniform(rng, *SHARE[level])
    return base | {
        "axis": axis,
        "ratio": ratio,
        "thickness": ratio * uniform(rng, *THICKNESS),
        "profile": choice(rng, ("gaussian", "rect", "slr")),
        "share": share,
        "sigma": share * head_scale(volume.data),
        "stream": integer(rng, 0, 2**53 - 1),
    }


def apply(volume: Volume, params: Mapping[str, Any]) -> Image3:
    """Acquire thick slices with Rician noise, and interpolate by a cubic spline.

    Args:
        volume: The scan that ``params`` were drawn for.
        params: What :func:`draw` returned; ``thickness`` in the scan's voxels, ``sigma`` in its
            own units.

    Returns:
        Image of the same shape, magnitude.
    """
    if params["level"] == 0:
        return volume.data
    axis = int(params["axis"])
    acquisition = Acquisition(int(params["ratio"]), params["thickness"], profile=params["profile"])
    coarse = thick_slices(volume.shape, axis, acquisition)(volume.data)
    noise = generator(int(params["stream"]))
    coarse = noisy(coarse, params["sigma"], kind="rician", axis=axis, rng=noise)
    back = interpolation(volume.shape[axis], coarse.shape[axis], acquisition, order=3)
    return multiply_along(coarse, back.T, axis).clamp(min=0).contiguous()
