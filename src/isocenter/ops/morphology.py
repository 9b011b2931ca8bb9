"""Growing and shrinking masks, by whole-image comparisons of neighbours."""

from collections.abc import Sequence

import torch

from isocenter.data.shapes import Mask3

__all__ = ["erode6", "erode18", "grow", "open6", "open18"]


def erode6(mask: Mask3, *, outside: bool = False) -> Mask3:
    """Voxels whose six face neighbours are all in the mask.

    Args:
        mask: (x, y, z).
        outside: Whether what lies outside the image counts as mask.
    """
    return _line(mask, 0, outside) & _line(mask, 1, outside) & _line(mask, 2, outside)


def erode18(mask: Mask3, *, outside: bool = False) -> Mask3:
    """Voxels whose eighteen face and edge neighbours are all in the mask.

    Args:
        mask: (x, y, z).
        outside: Whether what lies outside the image counts as mask.
    """
    x, y = _line(mask, 0, outside), _line(mask, 1, outside)
    return _line(x, 1, outside) & _line(x, 2, outside) & _line(y, 2, outside)


def open6(mask: Mask3) -> Mask3:
    """The mask without what no cross of seven voxels fits into."""
    return ~erode6(~erode6(mask), outside=True)


def open18(mask: Mask3, *, outside: bool = False) -> Mask3:
    """The mask without what no cube of 3 without its corners fits into.

    Args:
        mask: (x, y, z).
        outside: Whether what lies outside the image counts as mask.
    """
    return ~erode18(~erode18(mask, outside=outside), outside=True) & mask


def grow(mask: Mask3, reach: Sequence[int]) -> Mask3:
    """Voxels within a box around a voxel of the mask.

    Args:
        mask: (x, y, z).
        reach: Voxels along x, y, z, to either side.
    """
    others = ~mask
    for axis, steps in enumerate(reach):
        for _ in range(min(steps, mask.shape[axis])):
            others = _line(others, axis, outside=True)
    return ~others


def _line(mask: Mask3, axis: int, outside: bool) -> Mask3:
    """Voxels that have both neighbours along an axis in the mask, and are in it."""
    side = mask.shape[axis]
    kept = mask.clone()
    if side > 1:
        kept.narrow(axis, 1, side - 1).logical_and_(mask.narrow(axis, 0, side - 1))
        kept.narrow(axis, 0, side - 1).logical_and_(mask.narrow(axis, 1, side - 1))
    if not outside:
        ends = torch.tensor([0, side - 1], device=mask.device)
        kept.index_fill_(axis, ends, False)
    return kept
