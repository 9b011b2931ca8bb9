"""Bring one brain onto another: the affine map under which their tissues agree best.

Probabilities of tissues are compared, not brightness, so that contrast plays no part.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional as F

from isocenter.data.shapes import Affine44, Image3
from isocenter.errors import UsageError
from isocenter.ops.resample import Block3, resample_affine

__all__ = ["bring", "register_tissues"]

Maps: TypeAlias = Float32[Tensor, "_ _ _ _"]
"""Probabilities (tissue, x, y, z); two of them need not share a grid."""

CELLS = (8.0, 4.0)
"""Sides of the cells on which maps are compared, mm: coarse ones first, to find the way."""
MARGIN = 16.0
"""Around the fixed brain, mm: a brain that is too large must be seen to stand out."""
N_STEPS = 60
"""Of L-BFGS, for each size of cells."""
FAR = 100.0
"""A shift of this many mm counts like a change of 1 in the matrix."""


class _Grid(NamedTuple):
    maps: Maps
    affine: Tensor
    """(4, 4), cell -> world, float32."""


def register_tissues(
    moving: Maps, fixed: Maps, *, moving_affine: Affine44, fixed_affine: Affine44
) -> Affine44:
    """The affine map of least squared difference between the tissues of two brains.

    Twelve parameters, from centres and sizes that agree, by L-BFGS (Nocedal 1980,
    doi:10.1090/S0025-5718-1980-0572855-7) on cells of 8 and then 4 mm.

    Args:
        moving: Probabilities (tissue, x, y, z), such as those of a template.
        fixed: Probabilities of the same tissues in the same order, on any grid.
        moving_affine: Voxel of ``moving`` -> world, mm.
        fixed_affine: Voxel of ``fixed`` -> world, mm.

    Returns:
        (4, 4), from the world of ``fixed`` to that of ``moving``.

    Raises:
        UsageError: Different numbers of tissues, or a brain without any.
    """
    if len(moving) != len(fixed):
        raise UsageError(f"{len(moving)} tissues cannot be brought onto {len(fixed)}")
    grids = [
        [_cells(maps, affine, side) for side in CELLS]
        for maps, affine in ((moving, moving_affine), (fixed, fixed_affine))
    ]
    (centre, size), (fixed_centre, fixed_size) = (_place(coarse) for coarse, _ in grids)
    matrix, shift = torch.diag(size / fixed_size), torch.zeros(3)
    for source, target in zip(*grids, strict=True):
        points, wanted = _points(target)
        matrix, shift = _descend(source, points - fixed_centre, wanted, centre, matrix, shift)
    world = torch.eye(4, dtype=torch.float64)
    world[:3, :3] = matrix
    world[:3, 3] = centre + FAR * shift - matrix @ fixed_centre
    found: Affine44 = world.numpy()
    return found


def bring(
    image: Image3,
    world: Affine44,
    *,
    image_affine: Affine44,
    shape: tuple[int, int, int],
    affine: Affine44,
) -> Block3:
    """An image on the grid of another scan, trilinear; 0 beyond its border.

    Args:
        image: (x, y, z).
        world: From the world of the grid to that of the image, (4, 4).
        image_affine: Voxel of the image -> world, mm.
        shape: Of the grid.
        affine: Voxel of the grid -> world, mm.
    """
    whole = np.linalg.inv(image_affine) @ world @ affine
    out = torch.empty(shape, dtype=torch.float32)
    return resample_affine(image.float(), whole[:3, :3], whole[:3, 3], out=out, fill=0.0)


def _cells(maps: Maps, affine: Affine44, side: float) -> _Grid:
    """Means over cells of about ``side`` mm."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    steps = [max(1, round(side / mm)) for mm in spacing]
    missing = [-n % step for n, step in zip(maps.shape[1:], steps, strict=True)]
    padded = F.pad(maps, [0, missing[2], 0, missing[1], 0, missing[0]])
    coarse = F.avg_pool3d(padded[None], steps)[0]
    scale = np.diag([*steps, 1.0])
    scale[:3, 3] = [(step - 1) / 2 for step in steps]
    return _Grid(coarse, torch.from_numpy(affine @ scale).float())


def _place(grid: _Grid) -> tuple[Tensor, Tensor]:
    """Centre of the brain and its spread along the world's axes, mm."""
    weight = grid.maps.sum(0)
    at = _world(weight.nonzero().float(), grid.affine)
    share = weight[weight != 0]
    if float(share.sum()) <= 0:
        raise UsageError("a brain without tissue cannot be brought onto another")
    share = (share / share.sum())[:, None]
    centre = (share * at).sum(0)
    return centre, (share * (at - centre).square()).sum(0).sqrt().clamp_min(1.0)


def _points(grid: _Grid) -> tuple[Tensor, Tensor]:
    """Cells in and around the brain: where they are in the world (n, 3), and tissues (n, k)."""
    spacing = grid.affine[:3, :3].norm(dim=0)
    inside = grid.maps.sum(0) > 0
    reach = [2 * round(MARGIN / float(mm)) + 1 for mm in spacing]
    near = inside[None, None].float()
    for axis, width in enumerate(reach):
        kernel = [width if axis == other else 1 for other in range(3)]
        near = F.max_pool3d(near, kernel, 1, [k // 2 for k in kernel])
    index = near[0, 0].nonzero()
    return _world(index.float(), grid.affine), grid.maps[:, index[:, 0], index[:, 1], index[:, 2]].T


def _descend(
    source: _Grid, offsets: Tensor, wanted: Tensor, centre: Tensor, matrix: Tensor, shift: Tensor
) -> tuple[Tensor, Tensor]:
    """Matrix and shift (over ``FAR``) of least squared difference, from those given."""
    matrix, shift = matrix.clone().requires_grad_(), shift.clone().requires_grad_()
    to_cell = torch.linalg.inv(source.affine)
    optimizer = torch.optim.LBFGS([matrix, shift], max_iter=N_STEPS, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        at = _world(offsets @ matrix.T + centre + FAR * shift, to_cell)
        loss = (_sample(source.maps, at) - wanted).square().sum(1).mean()
        loss.backward()
        return float(loss.detach())

    with torch.inference_mode(False), torch.enable_grad():
        optimizer.step(closure)
    return matrix.detach(), shift.detach()


def _world(points: Tensor, affine: Tensor) -> Tensor:
    return points @ affine[:3, :3].T + affine[:3, 3]


def _sample(maps: Maps, at: Tensor) -> Tensor:
    """Trilinear values (n, k) at cell positions (n, 3); 0 outside."""
    last = torch.tensor(maps.shape[1:]).clamp_min(2) - 1
    # grid_sample wants the last axis first.
    places = (2 * at / last - 1).flip(-1)[None, None, None]
    return F.grid_sample(maps[None], places, align_corners=True)[0, :, 0, 0].T
