"""Edge ghosts: a displaced replica of the edges alone, along the phase-encoding axis.

What a ghost leaves where only the outer lines of k-space changed between shots.  Its spectrum
is flatter than the image's: the structured white artifact of Liu et al., IEEE Trans. Image
Process., 2016, "The relative impact of ghosting and noise on the perceived quality of MR images".
"""

from collections.abc import Mapping
from typing import Any

import torch

from isocenter.artifacts._energy import ENERGY, add, draw_shift, shifted
from isocenter.artifacts._presets import check_level
from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume
from isocenter.ops.filters import gaussian_blur

__all__ = ["apply", "draw"]

WIDTH_MM = 1.0
"""Standard deviation of the Gaussian whose blur is taken off, mm."""
LEAST_WIDTH = 0.7
"""The same in voxels, at least: a narrower one would leave no edge on thick slices."""


def draw(
    volume: Volume, level: int, *, preset: str = "physical", rng: torch.Generator
) -> dict[str, Any]:
    """Draw the axis and the displacement; the level alone decides the energy.

    Both presets draw the same; ``physical`` adds the ghost everywhere, ``rad-iqmri`` inside the
    object alone.

    Args:
        volume: Scan to be damaged.
        level: 0 to 4.
        preset: ``"physical"`` or ``"rad-iqmri"``.
        rng: Source of every draw.

    Raises:
        UnknownName: No such preset.
        UsageError: No such level, or a preset without this artifact.
        BadVolume: A single voxel.
    """
    check_level("edge_ghosting", preset, level)
    base = {"preset": preset, "level": level}
    if level == 0:
        return base
    return base | {"energy": ENERGY[level], **draw_shift(volume, rng)}


def apply(volume: Volume, params: Mapping[str, Any]) -> Image3:
    """Add the displaced edges: the image minus its Gaussian blur.

    Args:
        volume: The scan that ``params`` were drawn for.
        params: What :func:`draw` returned; ``energy`` is a fraction of the object's
            brightness squared, ``shift`` in voxels.

    Returns:
        Magnitude image of the same shape.
    """
    if params["level"] == 0:
        return volume.data
    sigma = [max(LEAST_WIDTH, WIDTH_MM / spacing) for spacing in volume.spacing]
    edges = volume.data - gaussian_blur(volume.data, sigma)
    return add(volume, shifted(edges, params), params)
