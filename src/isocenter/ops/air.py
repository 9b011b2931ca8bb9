"""The air around a head: where there is any, where it is blank, and what structure it holds."""

import numpy as np
import scipy.ndimage
import torch

from isocenter.data.shapes import Image3, Mask3
from isocenter.ops.morphology import grow, magnify, open6, open18

__all__ = [
    "above_face",
    "background_mask",
    "far_part",
    "frame_mask",
    "noise_mask",
    "structure_mask",
]

FEWEST_BLANK = 500
"""Blank voxels that make a frame; fewer are chance."""
MARGIN_MM = 4.0
"""The mask of the head follows its skin to about this distance."""
FACE_DEPTH = 0.65
"""The plane through glabella and inion lies so many breadths of the head below its vertex."""
LEAST_SECTION = 0.05
"""A section belongs to the head's breadth when it is this part of the largest."""
COARSE_SIDE = 64
"""Distances are found on a grid of about this many cells a side."""
NEAR = 0.1
"""Of the largest distance from the head: what is nearer may be the head's own edge."""
OUTLYING = 10.0
"""Standard deviations above the median from which air is not noise."""
FEWEST_NOISY = 100


def frame_mask(data: Image3) -> Mask3:
    """Blank parts: what a rotation, padding, stripping or defacing left at zero or below.

    Voxels that are not positive, opened by a cube of 3 without its corners so that single
    zeros of quantised noise do not count.

    Args:
        data: Magnitude image (x, y, z).

    Returns:
        Mask of the same shape; all False when fewer than 500 voxels are blank.
    """
    blank = open18(data <= 0, outside=True)
    return blank if int(blank.count_nonzero()) >= FEWEST_BLANK else torch.zeros_like(blank)


def background_mask(head: Mask3, frame: Mask3, *, spacing: tuple[float, float, float]) -> Mask3:
    """What is neither head, nor within 4 mm of it, nor blank.

    Args:
        head: The head, as :func:`~isocenter.ops.regions.head_mask` finds it.
        frame: Blank voxels.
        spacing: Voxel size along x, y, z in mm.
    """
    return ~(grow(head, _margin(spacing)) | frame)


def above_face(head: Mask3, *, spacing: tuple[float, float, float]) -> Mask3:
    """The part of space above mouth and neck, whose movement the air there does not show.

    Estimates the plane through glabella and inion without a registration: it is taken to be
    level in RAS+ and 0.65 breadths of the head below the vertex.  (An adult's glabella is 90
    to 100 mm below the vertex, and the head about 150 mm broad.)

    Args:
        head: The head in RAS+.
        spacing: Voxel size along x, y, z in mm.

    Returns:
        True above the plane; all False without a head.
    """
    above = torch.zeros_like(head)
    if not bool(head.any()):
        return above
    voxels = head.cpu().numpy()
    across, along = np.count_nonzero(voxels, (1, 2)), np.count_nonzero(voxels, (0, 1))
    breadth = np.count_nonzero(across > LEAST_SECTION * across.max()) * spacing[0]
    vertex = int(np.flatnonzero(along)[-1])
    lowest = vertex - round(FACE_DEPTH * breadth / spacing[2])
    above[:, :, max(0, lowest) :] = True
    return above


def far_part(air: Mask3, head: Mask3) -> Mask3:
    """Air that is farther from the head than a tenth of the largest distance.

    Nearer there is what the head's mask missed, and what its movement left.

    Args:
        air: Air next to the head.
        head: The head.
    """
    steps = [max(1, side // COARSE_SIDE) for side in head.shape]
    coarse = tuple(slice(None, None, step) for step in steps)
    cells = scipy.ndimage.distance_transform_edt(~head[coarse].cpu().numpy(), sampling=steps)
    largest = cells.max(where=air[coarse].cpu().numpy(), initial=0.0)
    far = magnify(cells >= NEAR * largest, steps, head.shape)
    return air & torch.from_numpy(far).to(air.device)


def structure_mask(data: Image3, air: Mask3) -> Mask3:
    """Voxels of the air that are too bright and too many together to be noise.

    Mortamet et al., MRM 62(2), 2009, doi:10.1002/mrm.21992, with the numbers of MRIQC: more
    than ten standard deviations (from the median absolute deviation) above the median of the
    positive air, opened by a cross.

    Args:
        data: Magnitude image (x, y, z).
        air: Where to look: air that is not next to the head.

    Returns:
        Mask of the same shape, inside ``air``; all False when fewer than 100 voxels of the
        air are positive.
    """
    noise = data.cpu().numpy()[(air & (data > 0)).cpu().numpy()]
    if noise.size < FEWEST_NOISY:
        return torch.zeros_like(air)
    middle = float(np.median(noise))
    spread = float(np.median(np.abs(noise - middle))) / 0.6745
    return open6(air & (data > middle + OUTLYING * spread))


def noise_mask(air: Mask3, structure: Mask3, *, spacing: tuple[float, float, float]) -> Mask3:
    """Air without its structure and what lies within 4 mm of that.

    Args:
        air: Air that is not next to the head.
        structure: What is structured in it.
        spacing: Voxel size along x, y, z in mm.
    """
    return air & ~grow(structure, _margin(spacing))


def _margin(spacing: tuple[float, float, float]) -> list[int]:
    return [max(1, round(MARGIN_MM / size)) for size in spacing]
