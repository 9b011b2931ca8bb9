"""Objects that are no heads: phantoms, fruit-like bodies, boxes, limbs; to teach what is foreign.

Analytic bodies with random texture, drawn anew every time.  None is meant to look like a
given object; together they surround the scans of heads from many sides.
"""

import math

import numpy as np
import torch
from torch import Tensor

from isocenter.data.step import Step
from isocenter.data.volume import Volume
from isocenter.ops.filters import gaussian_blur

__all__ = ["paint_object"]

SIDES = (96, 176)
"""Smallest and largest number of voxels along an axis."""
LIMBS = 0.3
"""Share of objects that are necks or limbs in slices."""


def paint_object(*, rng: torch.Generator) -> Volume:
    """One object in air, with the scanner's noise.

    Args:
        rng: Draws size, shape, texture, voxel size, edges and noise.

    Returns:
        Magnitude image, about 0 to 1000.
    """
    is_limb = _uniform(rng) < LIMBS
    body = _limb(rng) if is_limb else _bodies(rng)
    edge = 0.3 + 0.7 * _uniform(rng)
    image = gaussian_blur(body.contiguous(), (edge, edge, edge * (not is_limb)))
    floor = 0.003 + 0.02 * _uniform(rng)
    real, imaginary = floor * torch.randn((2, *body.shape), generator=rng)
    size = (0.5 if is_limb else 0.8) + (0.7 if is_limb else 1.2) * _uniform(rng)
    thick = 1 + (9 * _uniform(rng) if is_limb else 2 * _uniform(rng) ** 3)
    affine = np.diag([size, size, size * thick, 1.0])
    step = Step("paint_object", {}, rng.initial_seed())
    return Volume(1000 * torch.hypot(image + real, imaginary), affine, None, (step,))


Place = tuple[Tensor, Tensor, Tensor]


def _bodies(rng: torch.Generator) -> Tensor:
    """One to three solids in air."""
    shape = tuple(int(s) for s in torch.randint(*SIDES, (3,), generator=rng))
    grid = [torch.linspace(-1, 1, side) for side in shape]
    x, y, z = torch.meshgrid(*grid, indexing="ij")
    body = torch.zeros(shape)
    for _ in range(1 + int(3 * _uniform(rng))):
        at = _placed((x, y, z), rng)
        inside = _solid(at, rng)
        body = torch.where(inside, _texture(at, shape, rng), body)
    return body


def _limb(rng: torch.Generator) -> Tensor:
    """A neck or a limb cut across: it leaves the image above and below.

    Flesh with streaks of fat, a rim of fat, and bones, vessels, an airway or a cord within:
    long bodies that wander a little from slice to slice.
    """
    in_plane = (2 * SIDES[0], 2 * SIDES[1])
    sides = [int(s) for s in torch.randint(*in_plane, (2,), generator=rng)]
    shape = (*sides, int(torch.randint(8, 40, (), generator=rng)))
    x, y, z = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in shape), indexing="ij")
    half = [0.45 + 0.4 * _uniform(rng) for _ in range(2)]
    around = ((x / half[0]) ** 2 + (y / half[1]) ** 2).sqrt()
    flesh = 0.2 + 0.5 * _uniform(rng)
    streaks = gaussian_blur(torch.randn(shape, generator=rng), (1.5, 1.5, 0.5))
    body = flesh + (streaks > 1.5 * streaks.std()) * (0.6 * _uniform(rng) - 0.2)
    rim = 0.85 + 0.1 * _uniform(rng)
    body = torch.where(around > rim, 0.2 + 0.8 * _uniform(rng), body)
    for _ in range(2 + int(6 * _uniform(rng))):
        centre = [0.6 * h * (2 * _uniform(rng) - 1) for h in half]
        drift = [0.15 * (_uniform(rng) - 0.5) for _ in range(2)]
        radius, squash = 0.04 + 0.2 * _uniform(rng), 0.5 + _uniform(rng)
        p, q = (a - c - d * z for a, c, d in zip((x, y), centre, drift, strict=True))
        away = ((p / radius) ** 2 + (q / (radius * squash)) ** 2).sqrt()
        body = torch.where(away < 1, _uniform(rng), body)
        body = torch.where(away < 0.4 + 0.5 * _uniform(rng), _uniform(rng), body)
    return torch.where(around < 1, body.clamp_min(0), 0.0)


def _placed(grid: Place, rng: torch.Generator) -> Place:
    """Coordinates of a body: moved and stretched, 1 at its surface."""
    parts = []
    for axis in grid:
        half, centre = 0.35 + 0.5 * _uniform(rng), 0.3 * (_uniform(rng) - 0.5)
        parts.append((axis - centre) / half)
    return parts[0], parts[1], parts[2]


def _solid(at: Place, rng: torch.Generator) -> Tensor:
    """Ellipsoid, cylinder, box, or something between."""
    x, y, z = (part.abs() for part in at)
    kind = int(torch.randint(4, (), generator=rng))
    if kind == 0:
        return x**2 + y**2 + z**2 < 1
    if kind == 1:
        return (x**2 + y**2 < 1) & (z < 1)
    if kind == 2:
        return (x < 1) & (y < 1) & (z < 1)
    power = 2.5 + 4 * _uniform(rng)
    return x**power + y**power + z**power < 1


def _texture(at: Place, shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Plain, segments around an axis, shells, holes in a grid, or clouds; or two of these."""
    x, y, z = at
    bright = 0.4 + 0.6 * _uniform(rng)
    texture = torch.full(shape, bright)
    for _ in range(1 + int(2 * _uniform(rng))):
        kind, depth = int(torch.randint(5, (), generator=rng)), 0.1 + 0.8 * _uniform(rng)
        if kind == 1:
            segments = 2 + int(12 * _uniform(rng))
            wave = torch.cos(segments * torch.atan2(y, x)).abs() ** 0.3
        elif kind == 2:
            shells = 2 + 10 * _uniform(rng)
            wave = torch.cos(math.pi * shells * (x**2 + y**2 + z**2).sqrt())
        elif kind == 3:
            pitch = 3 + 10 * _uniform(rng)
            wave = ((torch.sin(pitch * x) * torch.sin(pitch * y)).abs() > 0.7).float()
        elif kind == 4:
            width = 1 + 6 * _uniform(rng)
            cloud = gaussian_blur(torch.randn(shape, generator=rng), (width,) * 3)
            wave = cloud / cloud.std().clamp_min(1e-6)
        else:
            continue
        texture = texture * (1 - depth * (0.5 + 0.5 * wave).clamp(0, 1))
    return texture


def _uniform(rng: torch.Generator) -> float:
    return float(torch.rand((), generator=rng))
