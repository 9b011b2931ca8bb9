"""Smoothing."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float64
from torch import Tensor

from isocenter.data.shapes import Image3
from isocenter.ops._kernels_blur import blur_planes
from isocenter.ops._memory import empty
from isocenter.ops._threads import in_threads
from isocenter.ops.fourier import apply_along

__all__ = ["gaussian_blur", "gaussian_blur_torch", "gaussian_operator", "gaussian_taps"]

TRUNCATE = 4.0
"""The kernel ends at this many standard deviations."""


def gaussian_taps(sigma: float) -> npt.NDArray[np.float64]:
    """Sampled Gaussian, sum 1, ``2 * radius + 1`` values.

    Args:
        sigma: Standard deviation in voxels, > 0.
    """
    radius = int(TRUNCATE * sigma + 0.5)
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.asarray(taps / taps.sum())


def gaussian_operator(n: int, sigma: float) -> Float64[Tensor, "n n"]:
    """Matrix of the blur of an axis of ``n`` voxels, the image mirrored at its borders."""
    taps = gaussian_taps(sigma)
    radius = len(taps) // 2
    reached = np.arange(n)[:, None] + np.arange(-radius, radius + 1)
    folded = np.abs((reached + 0.5) % (2 * n) - n)
    columns = np.rint(n - folded - 0.5).astype(np.int64)
    matrix = np.zeros((n, n))
    np.add.at(matrix, (np.arange(n)[:, None], columns), np.broadcast_to(taps, columns.shape))
    return torch.from_numpy(matrix)


def gaussian_blur(data: Image3, sigma: Sequence[float]) -> Image3:
    """Blur by a separable Gaussian, the image mirrored at its borders.

    Args:
        data: Image (x, y, z).
        sigma: Standard deviation along x, y, z in voxels; 0 leaves an axis alone.
    """
    if data.is_cuda:
        return gaussian_blur_torch(data, sigma)
    source, out = data.contiguous().numpy(), empty(data.shape, data.device)
    halves = [_one_side(width) for width in sigma]
    target = out.numpy()
    in_threads(lambda start, stop: blur_planes(source, *halves, target, start, stop), len(out))
    return out


def gaussian_blur_torch(data: Image3, sigma: Sequence[float]) -> Image3:
    """:func:`gaussian_blur` as one small matrix per axis, for every device."""
    for axis, (side, width) in enumerate(zip(data.shape, sigma, strict=True)):
        if width > 0 and side > 1:
            operator = gaussian_operator(side, width).to(data)
            data = apply_along(operator, data.contiguous(), axis)
    return data


def _one_side(sigma: float) -> npt.NDArray[np.float32]:
    """Taps from the centre outwards; one tap where nothing is blurred."""
    taps = gaussian_taps(sigma) if sigma > 0 else np.ones(1)
    return taps[len(taps) // 2 :].astype(np.float32)
