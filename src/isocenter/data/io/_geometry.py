"""Where voxels are: axis codes, plausible sizes, reorientation to RAS+ and back."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import numpy.typing as npt

from isocenter.errors import BadVolume

__all__ = [
    "Affine",
    "axis_codes",
    "checked_affine",
    "corner_distance",
    "in_ras",
    "reoriented",
    "spacing_of",
    "to_ras",
    "with_spacing",
]

Affine = npt.NDArray[np.float64]
Axes = tuple[tuple[int, bool], ...]
"""For each of x, y, z: the stored axis that runs along it, and whether backwards."""

SMALLEST_MM, LARGEST_MM = 0.05, 20.0
NOTICED_SHEAR = 1e-3
_POSITIVE, _NEGATIVE = "RAS", "LPI"


def spacing_of(affine: Affine) -> tuple[float, float, float]:
    """Voxel size along the stored axes, mm."""
    x, y, z = np.linalg.norm(affine[:3, :3], axis=0).tolist()
    return x, y, z


def to_ras(affine: Affine) -> Axes:
    """The transposition and flips that bring stored axes closest to right, front, up."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    u, _, vt = np.linalg.svd(affine[:3, :3] / sizes)
    directions = u @ vt
    best = max(
        permutations(range(3)),
        key=lambda order: sum(abs(directions[world, axis]) for world, axis in enumerate(order)),
    )
    return tuple((axis, bool(directions[world, axis] < 0)) for world, axis in enumerate(best))


def axis_codes(affine: Affine) -> str:
    """Direction of the stored axes, as in ``"LPS"``."""
    codes = [""] * 3
    for world, (axis, backwards) in enumerate(to_ras(affine)):
        codes[axis] = (_NEGATIVE if backwards else _POSITIVE)[world]
    return "".join(codes)


def reoriented(affine: Affine, shape: tuple[int, ...], axes: Axes) -> Affine:
    """The affine after the image's axes were permuted and flipped by ``axes``."""
    change = np.zeros((4, 4))
    change[3, 3] = 1
    for new, (old, backwards) in enumerate(axes):
        change[old, new] = -1 if backwards else 1
        change[old, 3] = shape[old] - 1 if backwards else 0
    return np.asarray(affine @ change)


def in_ras(data: npt.NDArray[np.generic], affine: Affine) -> tuple[npt.NDArray[np.generic], Affine]:
    """An image and its affine on the closest right-front-up axes, as views.

    Args:
        data: Three axes in any order.
        affine: Their index to world, mm.
    """
    axes = to_ras(affine)
    flips = tuple(slice(None, None, -1 if backwards else 1) for _, backwards in axes)
    return data.transpose([axis for axis, _ in axes])[flips], reoriented(affine, data.shape, axes)


def checked_affine(affine: Affine, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Refuse an affine that places no image; return what is odd about one that does.

    Raises:
        BadVolume: Not finite, singular, or voxel sizes that no scanner makes.
    """
    if not np.isfinite(affine).all():
        raise BadVolume("affine is not finite: mend the header's sform or qform")
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if not sizes.all() or abs(np.linalg.det(affine[:3, :3] / sizes)) < 1e-4:
        raise BadVolume("affine is singular: mend the header's sform or qform")
    _refuse_implausible(sizes, shape)
    directions = affine[:3, :3] / sizes
    shear = float(np.abs(directions.T @ directions - np.eye(3)).max())
    if shear > NOTICED_SHEAR:
        return (f"the voxel axes are sheared (cosine {shear:.3g} between them)",)
    return ()


def corner_distance(one: Affine, other: Affine, shape: tuple[int, ...]) -> float:
    """Largest distance between where two affines place the image's corners, mm."""
    last = np.maximum(np.array(shape) - 1, 1)
    corners = np.array(np.meshgrid(*[(0, side) for side in last])).reshape(3, -1)
    gap = (one - other)[:3, :3] @ corners + (one - other)[:3, 3:]
    return float(np.linalg.norm(gap, axis=0).max())


def with_spacing(affine: Affine, sizes: tuple[float, float, float]) -> Affine:
    """The same directions and origin with other voxel sizes, mm.

    Raises:
        BadVolume: A size is not plausible.
    """
    if not all(SMALLEST_MM <= size <= LARGEST_MM for size in sizes):
        raise BadVolume(f"--voxel-size {sizes} is not between {SMALLEST_MM} and {LARGEST_MM} mm")
    changed = affine.copy()
    changed[:3, :3] *= np.array(sizes) / np.linalg.norm(affine[:3, :3], axis=0)
    return changed


def _refuse_implausible(sizes: npt.NDArray[np.float64], shape: tuple[int, ...]) -> None:
    thick = [size for size, side in zip(sizes, shape, strict=True) if side > 1]
    if min(sizes) < SMALLEST_MM or max(thick, default=1.0) > LARGEST_MM:
        said = " x ".join(f"{size:.4g}" for size in sizes)
        raise BadVolume(
            f"voxel size {said} mm is not plausible ({SMALLEST_MM} to {LARGEST_MM} mm): "
            "give the true one with --voxel-size X,Y,Z"
        )
