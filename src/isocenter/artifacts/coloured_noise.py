"""Coloured Gaussian noise: strong at low spatial frequencies, as an image is.

White noise whose k-space is weighted by 1 / sqrt(1 + (f / c)^2), with f in cycles per mm and
c = 1 / (40 mm): amplitude falls as 1 / f, power as 1 / f^2; the mean, f = 0, is left out.  It is
the unstructured coloured artifact of Liu et al., IEEE Trans. Image Process., 2016, "The relative
impact of ghosting and noise on the perceived quality of MR images", whose spectrum is not known
to us.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from isocenter.artifacts._draw import integer, usable_axes
from isocenter.artifacts._energy import ENERGY, add
from isocenter.artifacts._normals import normals
from isocenter.artifacts._presets import check_level
from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume

__all__ = ["apply", "draw"]

CORNER = 1 / 40
"""Spatial frequency from which the amplitude falls as 1 / f, cycles per mm."""


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
        BadVolume: A single voxel.
    """
    check_level("coloured_noise", preset, level)
    base = {"preset": preset, "level": level}
    if level == 0:
        return base
    usable_axes(volume)
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
    spectrum = torch.fft.rfftn(white.reshape(volume.shape)) * _weight(volume)
    coloured = torch.fft.irfftn(spectrum, s=volume.shape)
    return add(volume, coloured.to(volume.data.device), params)


def _weight(volume: Volume) -> Image3:
    """Amplitude of every point of the half spectrum that ``rfftn`` gives."""
    x, y, z = volume.shape
    dx, dy, dz = volume.spacing
    along_x = torch.fft.fftfreq(x, dx, dtype=torch.float64)[:, None, None]
    along_y = torch.fft.fftfreq(y, dy, dtype=torch.float64)[:, None]
    along_z = torch.fft.rfftfreq(z, dz, dtype=torch.float64)
    squared = along_x**2 + along_y**2 + along_z**2
    weight: Tensor = (1 + squared / CORNER**2).rsqrt()
    weight[0, 0, 0] = 0
    return weight.float()
