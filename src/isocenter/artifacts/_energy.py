"""What the four artifacts of the RAD-IQMRI study share: an energy for each level, and a ghost.

The study compares structured artifacts (ghosts) with unstructured ones (noise), white ones
(edges, white noise) with coloured ones, at equal energies: Liu, Koonen, Fuderer and
Heynderickx, "The relative impact of ghosting and noise on the perceived quality of MR images",
IEEE Trans. Image Process., 2016; Ma et al., "RAD-IQMRI: a benchmark for MRI image quality
assessment", Neurocomputing 602, 128292, 2024.  Its energies are not published; these are ours.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch

from isocenter.artifacts._draw import choice, uniform, usable_axes
from isocenter.data.shapes import Image3, Mask3
from isocenter.data.volume import Volume
from isocenter.ops.filters import gaussian_blur
from isocenter.ops.regions import COARSE_SIDE, head_mask, head_scale

__all__ = ["ENERGY", "add", "draw_shift", "object_mask", "shifted"]

ENERGY = {1: 0.02**2, 2: 0.04**2, 3: 0.08**2, 4: 0.16**2}
"""Mean square of what is added inside the object, as a fraction of its brightness squared."""
SHARE = (0.15, 0.4)
"""Displacement of a ghost over the object's length along that axis: the two always overlap."""
COPIES = 5
"""Of every slice along an axis too thin for the search of the object."""


def draw_shift(volume: Volume, rng: torch.Generator) -> dict[str, int]:
    """Draw the phase-encoding axis and by how many voxels the ghost is displaced along it.

    Raises:
        BadVolume: A single voxel.
    """
    axis = choice(rng, usable_axes(volume))
    across = [other for other in range(3) if other != axis]
    along = object_mask(volume.data).any(dim=across[1]).any(dim=across[0])
    inside = along.nonzero()
    length = int(inside[-1] - inside[0]) + 1
    shift = round(length * uniform(rng, *SHARE))
    direction = choice(rng, (-1, 1))
    return {"axis": axis, "shift": direction * min(max(1, shift), volume.shape[axis] - 1)}


def shifted(data: Image3, params: Mapping[str, Any]) -> Image3:
    """The image displaced as drawn; what leaves the field of view comes in at the other end."""
    return torch.roll(data, int(params["shift"]), int(params["axis"]))


def add(volume: Volume, pattern: Image3, params: Mapping[str, Any]) -> Image3:
    """Magnitude of the scan plus the pattern, made as strong as ``params["energy"]`` says.

    Preset ``physical`` adds it everywhere, ``rad-iqmri`` to the object alone, fading out over
    its border.

    Args:
        volume: The scan.
        pattern: What is to be added, of any strength.
        params: ``energy`` is the mean square inside the object as a fraction of the squared
            brightness of the object, taken before the magnitude.

    Returns:
        Image of the same shape; a copy of the scan where the pattern is zero in the object.
    """
    inside = object_mask(volume.data)
    if params["preset"] == "rad-iqmri":
        pattern = pattern * _faded(inside)
    strength = float(pattern[inside].double().square().mean().sqrt())
    if strength == 0:
        return volume.data.clone()
    amplitude = math.sqrt(params["energy"]) * head_scale(volume.data, inside) / strength
    added = amplitude * pattern
    return torch.where(added == 0, volume.data, (volume.data + added).abs())


def object_mask(data: Image3) -> Mask3:
    """Where the object is, dark tissue too; all of the image where none is found.

    The root of the brightness is searched, which brings muscle nearer to fat than to air.  The
    search takes a single slice for a thin shell and drops it, so thin axes are thickened.
    """
    thin = [axis for axis, side in enumerate(data.shape) if side < 3]
    thick = data.abs().sqrt()
    for axis in thin:
        thick = thick.repeat_interleave(COPIES, axis)
    mask = head_mask(thick)
    for axis in thin:
        middles = torch.arange(COPIES // 2, mask.shape[axis], COPIES, device=mask.device)
        mask = mask.index_select(axis, middles)
    return mask if bool(mask.any()) else torch.ones_like(mask)


def _faded(mask: Mask3) -> Image3:
    """1 inside and 0 outside; between them as wide as the steps of the mask's border."""
    return gaussian_blur(mask.float(), [side / COARSE_SIDE for side in mask.shape])
