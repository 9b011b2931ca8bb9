"""Synthetic lesions: blobs that a network must neither lose nor invent."""

import torch
from torch import Tensor

from isocenter.data.shapes import Image3, Mask3

__all__ = ["insert_lesions"]

DIAMETERS = (2.0, 10.0)
"""Mean diameter of a lesion, mm."""
CONTRASTS = (0.2, 0.6)
"""Absolute change of brightness, relative to what lies there."""
FLATTENING = 0.35
"""Largest relative difference of an axis from the mean, before the volume is set."""
LONGEST = (1 + FLATTENING) ** (2 / 3) / (1 - FLATTENING) ** (2 / 3)
"""The longest half axis, in mean radii."""
EDGE = 0.5
"""Half the width of the border, voxels of the finest side."""
TRIES = 50


def insert_lesions(
    data: Image3,
    brain: Mask3,
    *,
    n: int,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    diameters: tuple[float, float] = DIAMETERS,
    contrasts: tuple[float, float] = CONTRASTS,
    rng: torch.Generator,
) -> tuple[Image3, Mask3]:
    """Brighten or darken some ellipsoids of the brain; no two of them touch.

    Args:
        data: Image, arbitrary units.
        brain: Where a lesion's centre may lie, and where brightness may change.
        n: Lesions; fewer where no place is left.
        spacing: Voxel size along x, y, z in mm.
        diameters: Smallest and largest mean diameter, mm; uniform.
        contrasts: Smallest and largest change relative to the brightness that is there; uniform,
            up or down.
        rng: Draws places, shapes and contrasts.

    Returns:
        The changed image, and where a lesion covers half a voxel or more.
    """
    changed, mask = data.clone(), torch.zeros_like(brain)
    places = brain.nonzero()
    taken: list[tuple[Tensor, float]] = []
    side = torch.tensor(spacing)
    for _ in range(n if len(places) else 0):
        radius = 0.5 * _between(diameters, rng)
        centre = _free_place(places, side, radius, taken, rng)
        if centre is None:
            continue
        taken.append((centre * side, radius))
        box = _box_around(centre, LONGEST * radius + 1, side, data.shape)
        share = _ellipsoid(centre, radius, side, box, rng) * brain[box]
        sign = 1.0 if float(torch.rand((), generator=rng)) < 0.5 else -1.0
        changed[box] *= 1 + sign * _between(contrasts, rng) * share
        mask[box] |= share >= 0.5
    return changed, mask


def _free_place(
    places: Tensor,
    side: Tensor,
    radius: float,
    taken: list[tuple[Tensor, float]],
    rng: torch.Generator,
) -> Tensor | None:
    """A voxel of the brain, far enough from the other lesions."""
    for _ in range(TRIES):
        centre = places[int(torch.randint(len(places), (), generator=rng))].float()
        gaps = [
            float((centre * side - other).norm()) - LONGEST * (radius + size)
            for other, size in taken
        ]
        if all(gap > 2 * float(side.max()) for gap in gaps):
            return centre
    return None


def _box_around(
    centre: Tensor, reach: float, side: Tensor, shape: torch.Size
) -> tuple[slice, slice, slice]:
    low = (centre - reach / side).floor().long().clamp_min(0).tolist()
    high = (centre + reach / side).ceil().long().tolist()
    x, y, z = (slice(a, min(b + 1, length)) for a, b, length in zip(low, high, shape, strict=True))
    return x, y, z


def _ellipsoid(
    centre: Tensor,
    radius: float,
    side: Tensor,
    box: tuple[slice, slice, slice],
    rng: torch.Generator,
) -> Image3:
    """Share of each voxel that a randomly turned ellipsoid covers, about."""
    turned, _ = torch.linalg.qr(torch.randn(3, 3, generator=rng))
    stretch = 1 + FLATTENING * (2 * torch.rand(3, generator=rng) - 1)
    axes = radius * stretch / stretch.prod() ** (1 / 3)
    grid = torch.meshgrid(
        *[torch.arange(part.start, part.stop).float() for part in box], indexing="ij"
    )
    offsets = (torch.stack(grid, -1) - centre) * side
    distance = ((offsets @ turned) / axes).norm(dim=-1)
    edge = EDGE * float(side.min())
    share: Image3 = ((1 - distance) * radius / (2 * edge) + 0.5).clamp(0, 1)
    return share


def _between(ends: tuple[float, float], rng: torch.Generator) -> float:
    low, high = ends
    return low + (high - low) * float(torch.rand((), generator=rng))
