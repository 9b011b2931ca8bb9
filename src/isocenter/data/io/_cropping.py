"""The middle of a scan, counted along the axes of its file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isocenter.data.io._writing import stored_axes
from isocenter.data.step import Step
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume

__all__ = ["cropped"]


def cropped(volume: Volume, shape: tuple[int, int, int]) -> Volume:
    """The middle of a scan, as HSFNet's benchmark cuts it before it does any damage.

    Args:
        volume: Read from a file, whose axes count; a made one counts along its own.
        shape: Voxels along the stored axes.  Along each the cut begins at
            ``floor(n / 2) - floor(size / 2)``.

    Returns:
        The voxels where they were in space, with one step more in the history.

    Raises:
        BadVolume: A side is shorter than it is to become; the published code passes over such
            scans in silence.
    """
    axes = stored_axes(volume)
    stored = tuple(volume.shape[axis] for axis, _ in axes)
    if any(size < 1 or size > side for side, size in zip(stored, shape, strict=True)):
        raise BadVolume(
            f"a crop to {_spoken(shape)} does not fit into the {_spoken(stored)} voxels of this "
            "scan: leave it out, or give a smaller crop"
        )
    data, starts = volume.data, np.zeros(3)
    for (axis, backwards), side, size in zip(axes, stored, shape, strict=True):
        first = side // 2 - size // 2
        # Counted from the file's own first voxel, which is the last one where axes run backwards.
        starts[axis] = side - size - first if backwards else first
        data = data.narrow(axis, int(starts[axis]), size)
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ starts
    moved = replace(volume, affine=affine)
    return moved.after(data.contiguous(), Step("crop", {"shape": list(shape)}))


def _spoken(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
