"""Where the image of k-space will lie: from field of view, positions and directions.

The zero frequency stands at ``n // 2`` of every axis, so the voxel with that index of every
axis lies at the centre of the field of view.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.data.io._geometry import Affine

__all__ = ["LPS_TO_RAS", "NO_ORIENTATION", "NO_SIZE", "affine_around", "stack_of", "unplaced"]

Vectors = npt.NDArray[np.float64]

LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
NO_ORIENTATION = "orientation unknown: left/right not guaranteed"
NO_SIZE = "voxel size missing: assumed 1 mm"
UNEVEN = 0.02
"""Share of the distance between slices by which it may vary without a word."""


def affine_around(centre: Any, directions: Any, sizes: Any, middle: Any) -> Affine:
    """The affine whose voxel ``middle`` lies at ``centre``.

    Args:
        centre: World position, mm, RAS+.
        directions: (3, 3): unit vectors of the slice, y and x axis as rows, RAS+.
        sizes: Voxel size along slice, y, x in mm.
        middle: Index (slice, y, x).
    """
    affine = np.eye(4)
    affine[:3, :3] = (np.asarray(directions) * np.asarray(sizes)[:, None]).T
    affine[:3, 3] = np.asarray(centre) - affine[:3, :3] @ np.asarray(middle, float)
    return affine


def unplaced(shape: tuple[int, int, int], sizes: tuple[float, float, float]) -> Affine:
    """An affine for k-space of unknown place: x to the right, y to the front, slices upward."""
    return affine_around(np.zeros(3), np.eye(3)[::-1], sizes, [side // 2 for side in shape])


def stack_of(
    positions: Vectors, normal: Vectors, thickness: float
) -> tuple[npt.NDArray[np.intp], Vectors, float, list[str]]:
    """Order slices along their normal.

    Args:
        positions: (slice, 3), mm: the centre of each slice in the order of its counter.
        normal: Unit vector.
        thickness: mm; the distance where there is one slice, or all are in one place.

    Returns:
        The order, the unit vector from the first slice to the last, the distance between
        neighbours in mm, and what is odd.
    """
    order = np.argsort(positions @ normal, kind="stable")
    if len(order) == 1:
        return order, normal, thickness, []
    way = positions[order[-1]] - positions[order[0]]
    distance = float(np.linalg.norm(way)) / (len(order) - 1)
    if distance < 1e-3:
        return np.arange(len(order)), normal, thickness, ["all slices are in one place"]
    gaps = np.linalg.norm(np.diff(positions[order], axis=0), axis=1)
    uneven = bool(np.abs(gaps - distance).max() > UNEVEN * distance)
    notes = [f"slices are not evenly spaced: their mean distance {distance:.3g} mm was used"]
    return order, way / np.linalg.norm(way), distance, notes if uneven else []
