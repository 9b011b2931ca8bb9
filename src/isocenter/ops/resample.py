"""Moving an image: trilinear resampling along an affine map of voxel positions."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float32
from torch import Tensor

from isocenter.data.shapes import Image3
from isocenter.ops._kernels_resample import trilinear
from isocenter.ops._threads import in_threads

__all__ = ["resample_affine", "resample_affine_torch"]

Matrix = npt.NDArray[np.float64]
Block3: TypeAlias = Float32[Tensor, "i j k"]
"""The image that is made, or a block of it; its size is its own."""


def resample_affine(
    data: Image3, matrix: Matrix, offset: Matrix, *, out: Block3, fill: float | None = None
) -> Block3:
    """Fill ``out`` with ``data`` at the positions ``matrix @ index + offset``, trilinear.

    Args:
        data: Image (x, y, z).
        matrix: (3, 3), from an index of ``out`` to a voxel position of ``data``.
        offset: (3,), in voxels of ``data``.
        out: Written and returned; may be a block of a larger image (shift ``offset``).
        fill: Value of positions more than half a voxel outside; ``None`` repeats the border.
    """
    if data.is_cuda:
        return out.copy_(resample_affine_torch(data, matrix, offset, out.shape, fill=fill))
    source, target = data.numpy(), out.numpy()
    value, clamp = (0.0, True) if fill is None else (fill, False)

    def work(start: int, stop: int) -> None:
        trilinear(source, matrix, offset, value, clamp, target, start, stop)

    in_threads(work, out.shape[0])
    return out


def resample_affine_torch(
    data: Image3,
    matrix: Matrix,
    offset: Matrix,
    shape: torch.Size,
    *,
    fill: float | None = None,
) -> Block3:
    """:func:`resample_affine` in plain tensor operations, for every device."""
    positions = [_positions(matrix[axis], offset[axis], shape, data.device) for axis in range(3)]
    values = _corner_sum(data, positions)
    if fill is None:
        return values
    inside = torch.ones(shape, dtype=torch.bool, device=data.device)
    for position, side in zip(positions, data.shape, strict=True):
        inside &= (position >= -0.5) & (position < side - 0.5)
    return torch.where(inside, values, fill)


def _positions(row: Matrix, offset: float, shape: torch.Size, device: torch.device) -> Tensor:
    i, j, k = (torch.arange(n, dtype=torch.float64, device=device) for n in shape)
    at: Tensor = (row[0] * i)[:, None, None] + (row[1] * j)[:, None] + row[2] * k + offset
    return at


def _corner_sum(data: Image3, positions: list[Tensor]) -> Block3:
    lower = [position.floor() for position in positions]
    shares = [(p - low).float() for p, low in zip(positions, lower, strict=True)]
    n_x, n_y, n_z = data.shape
    total = torch.zeros(positions[0].shape, device=data.device)
    for corner in range(8):
        steps = (corner >> 2 & 1, corner >> 1 & 1, corner & 1)
        weight = torch.ones_like(total)
        for share, step in zip(shares, steps, strict=True):
            weight = weight * (share if step else 1 - share)
        i, j, k = (
            (low.long() + step).clamp(0, side - 1)
            for low, step, side in zip(lower, steps, (n_x, n_y, n_z), strict=True)
        )
        total += weight * data.reshape(-1)[(i * n_y + j) * n_z + k]
    return total
