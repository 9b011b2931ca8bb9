"""Analytic heads for tests and documentation."""

from dataclasses import dataclass

import numpy as np
import torch

from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume

__all__ = ["head_phantom"]


@dataclass(frozen=True)
class _Ellipsoid:
    """A part of the head; later parts cover earlier ones."""

    brightness: float
    """T1-weighted, white matter 1."""
    half_axes: tuple[float, float, float]
    """Right-left, back-front, bottom-top, over half the field of view."""
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)


_PARTS = (
    _Ellipsoid(0.75, (0.74, 0.90, 0.86)),  # skin and fat
    _Ellipsoid(0.10, (0.68, 0.84, 0.80)),  # skull
    _Ellipsoid(0.25, (0.62, 0.78, 0.74)),  # fluid around the brain
    _Ellipsoid(0.65, (0.57, 0.73, 0.69)),  # grey matter
    _Ellipsoid(1.00, (0.47, 0.62, 0.57)),  # white matter
    _Ellipsoid(0.70, (0.12, 0.15, 0.12), (0.20, 0.06, -0.05)),  # deep grey matter
    _Ellipsoid(0.70, (0.12, 0.15, 0.12), (-0.20, 0.06, -0.05)),
    _Ellipsoid(0.22, (0.07, 0.26, 0.13), (0.10, -0.02, 0.12)),  # ventricles
    _Ellipsoid(0.22, (0.07, 0.26, 0.13), (-0.10, -0.02, 0.12)),
    _Ellipsoid(0.35, (0.20, 0.10, 0.10), (0.0, 0.76, -0.25)),  # a nose, so that front shows
)


def head_phantom(
    shape: tuple[int, int, int] = (48, 48, 48), spacing: float = 1.0, *, scale: float = 1000.0
) -> Volume:
    """A head of ellipsoids: skin, skull, fluid, grey and white matter, ventricles.

    Edges are about one voxel wide, as a scanner's partial volume makes them; there is no
    noise and nothing is drawn.

    Args:
        shape: Voxels along x, y, z; the head fills about 80 % of each.
        spacing: Voxel size in mm.
        scale: Brightness of white matter, arbitrary units.
    """
    image = torch.zeros(shape)
    for part in _PARTS:
        inside = _coverage(part, shape)
        image = image + inside * (part.brightness - image)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = [-spacing * (side - 1) / 2 for side in shape]
    return Volume(image * scale, affine, "T1w")


def _coverage(part: _Ellipsoid, shape: tuple[int, int, int]) -> Image3:
    """1 inside, 0 outside, a smooth ramp of about a voxel at the surface."""
    axes = []
    for side, half, centre in zip(shape, part.half_axes, part.centre, strict=True):
        place = (torch.arange(side) + 0.5) / side * 2 - 1 if side > 1 else torch.zeros(1)
        axes.append((place - centre) / half)
    x, y, z = axes
    radius = (x[:, None, None] ** 2 + y[:, None] ** 2 + z**2).sqrt()
    sides = zip(shape, part.half_axes, strict=True)
    sharpness = min(half * side / 2 for side, half in sides if side > 1)
    return ((1 - radius) * sharpness + 0.5).clamp(0, 1)
