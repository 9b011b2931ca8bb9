"""White Gaussian noise added to the magnitude image itself, as image quality studies do.

A scanner's noise is ``noise``: Gaussian in two channels, so that the magnitude is Rician, with a
floor in the air and a g-factor.  This one has a single channel and no bias in tissue.  It is the
unstructured white artifact of Liu et al., IEEE Trans. Image Process., 2016, "The relative impact
of ghosting and noise on the perceived quality of MR images".
"""

from collections.abc import Mapping
from typing import Any

import torch

from isocenter.artifacts._draw import integer
from isocenter.artifacts._energy import ENERGY, add
from isocenter.artifacts._normals import normals
from isocenter.artifacts._presets import check_level
from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume

__all__ = ["apply", "draw"]


def draw(
    volume: Volume, level: int, *, preset: str = "physical", rng: torch.Generator
) -> dict[str, Any]:
    """Draw the number of the stream that the voxels come from; the level decides the energy.

    Both presets draw the same; ``physical`` adds the noise everywhere, ``rad-iqmri`` inside the
    object alone.

    Args:
        volume: Scan to be damaged.
        level: 0 to 4.
        preset: ``"physical"`` or ``"rad-iqmri"``.
        rng: Source of every draw.

    Raises:
        UnknownName: No such preset.
        UsageError: No such level, or a preset without this artifact.
    """
    check_level("white_noise", preset, level)
    base = {"preset": preset, "level": level}
    if level == 0:
        return base
    return base | {"energy": ENERGY[level], "stream": integer(rng, 0, 2**53 - 1)}


def apply(volume: Volume, params: Mapping[str, Any]) -> Image3:
    """Add the noise.

    Args:
        volume: The scan that ``params`` were drawn for.
        params: What :func:`draw` returned; ``energy`` is a fraction of the object's
            brightness squared.

    Returns:
        Magnitude image of the same shape.
    """
    if params["level"] == 0:
        return volume.data
    (white,) = normals(volume.data.numel(), sigma=1.0, stream=int(params["stream"]), n_channels=1)
    return add(volume, white.reshape(volume.shape).to(volume.data.device), params)
