"""The one Fourier transform: centred and orthonormal.

The zero frequency (and the image's origin) stands at index ``n // 2`` of every axis.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from isocenter.ops._memory import empty

__all__ = ["apply_along", "fft", "ifft", "line_operator"]

ROWS = 4096
"""Rows multiplied at once: the library loses a quarter of its speed on very tall factors."""


def fft(image: Tensor, axes: Sequence[int]) -> Tensor:
    """Image to k-space along ``axes``; Parseval holds.

    Args:
        image: Real or complex, any shape.
        axes: Axes to transform; the others are left alone.
    """
    axes = tuple(axes)
    uncentred = torch.fft.ifftshift(image, dim=axes)
    kspace: Tensor = torch.fft.fftshift(torch.fft.fftn(uncentred, dim=axes, norm="ortho"), dim=axes)
    return kspace


def ifft(kspace: Tensor, axes: Sequence[int]) -> Tensor:
    """K-space to image along ``axes``: the inverse and adjoint of :func:`fft`."""
    axes = tuple(axes)
    uncentred = torch.fft.ifftshift(kspace, dim=axes)
    image: Tensor = torch.fft.fftshift(torch.fft.ifftn(uncentred, dim=axes, norm="ortho"), dim=axes)
    return image


def line_operator(weights: Complex[Tensor, " n"]) -> Complex[Tensor, "n n"]:
    """Matrix of "transform, weight every line, transform back" along one axis.

    ``F^H diag(weights) F`` is circulant: its first column is the weights' inverse transform.

    Args:
        weights: complex128, one per k-space line, centred.
    """
    n_lines = weights.numel()
    column = torch.fft.ifft(torch.fft.ifftshift(weights))
    index = torch.arange(n_lines, device=weights.device)
    matrix: Tensor = column[(index[:, None] - index[None, :]) % n_lines]
    return matrix


def apply_along(
    matrix: Float[Tensor, "n n"],
    data: Float[Tensor, "x y z"],
    axis: int,
    out: Float[Tensor, "x y z"] | None = None,
) -> Float[Tensor, "x y z"]:
    """``matrix @ data`` along one axis of an image or of a block of one.

    Args:
        matrix: Real square operator, same type and device as ``data``.
        data: Contiguous block (x, y, z).
        axis: 0, 1 or 2.
        out: Contiguous; written and returned. Made when not given.
    """
    out = empty(data.shape, data.device) if out is None else out
    n = data.shape[axis]
    if axis == 0:
        torch.mm(matrix, data.view(n, -1), out=out.view(n, -1))
    elif axis == 1:
        torch.matmul(matrix, data, out=out)
    else:
        rows, results = data.view(-1, n).split(ROWS), out.view(-1, n).split(ROWS)
        for row, result in zip(rows, results, strict=True):
            torch.mm(row, matrix.T, out=result)
    return out
