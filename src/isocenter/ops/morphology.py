"""Growing and shrinking masks, by whole-image comparisons of neighbours."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from isocenter.data.shapes import Mask3

__all__ = ["erode6", "erode18", "grow", "magnify", "open6", "open18"]

Mask = npt.NDArray[np.bool_]
"""numpy compares a byte mask with itself in a tenth of torch's time."""


def erode6(mask: Mask3) -> Mask3:
    """Voxels whose six face neighbours are all in the mask, which ends at the image's border."""
    return torch.from_numpy(_erode6(mask.cpu().numpy(), outside=False)).to(mask.device)


def erode18(mask: Mask3) -> Mask3:
    """Voxels whose eighteen face and edge neighbours are all in the mask.

    The mask ends at the image's border.
    """
    return torch.from_numpy(_erode18(mask.cpu().numpy(), outside=False)).to(mask.device)


def open6(mask: Mask3) -> Mask3:
    """The mask without what no cross of seven voxels fits into."""
    inner = _erode6(mask.cpu().numpy(), outside=False)
    return torch.from_numpy(~_erode6(~inner, outside=True)).to(mask.device)


def open18(mask: Mask3, *, outside: bool = False) -> Mask3:
    """The mask without what no cube of 3 without its corners fits into.

    Args:
        mask: (x, y, z).
        outside: Whether such a cube may reach beyond the image's border.
    """
    inner = _erode18(mask.cpu().numpy(), outside=outside)
    return torch.from_numpy(~_erode18(~inner, outside=True)).to(mask.device)


def grow(mask: Mask3, reach: Sequence[int]) -> Mask3:
    """Voxels within a box around a voxel of the mask.

    Args:
        mask: (x, y, z).
        reach: Voxels along x, y, z, to either side.
    """
    others = ~mask.cpu().numpy()
    for axis, steps in enumerate(reach):
        for _ in range(min(steps, mask.shape[axis])):
            others = _line(others, axis, outside=True)
    return torch.from_numpy(~others).to(mask.device)


def magnify(cells: Mask, steps: Sequence[int], shape: Sequence[int]) -> Mask:
    """Every cell as a block of ``steps`` voxels, cut to ``shape``."""
    for axis, step in enumerate(steps):
        cells = cells.repeat(step, axis)
    return cells[tuple(slice(side) for side in shape)]


def _erode6(mask: Mask, *, outside: bool) -> Mask:
    return _line(mask, 0, outside) & _line(mask, 1, outside) & _line(mask, 2, outside)


def _erode18(mask: Mask, *, outside: bool) -> Mask:
    """The cube without its corners is three squares, one across each axis."""
    x, y = _line(mask, 0, outside), _line(mask, 1, outside)
    return _line(x, 1, outside) & _line(x, 2, outside) & _line(y, 2, outside)


def _line(mask: Mask, axis: int, outside: bool) -> Mask:
    """Voxels that are in the mask with both neighbours along an axis."""
    kept = mask.copy()
    line, source = np.moveaxis(kept, axis, 0), np.moveaxis(mask, axis, 0)
    line[1:] &= source[:-1]
    line[:-1] &= source[1:]
    if not outside:
        line[[0, -1]] = False
    return kept
