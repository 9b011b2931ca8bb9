"""Twice or half as many pixels through a short filter: no aliasing, no checkerboard."""

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["fir_down", "fir_up"]

TAPS = (1.0, 3.0, 3.0, 1.0)


def fir_up(maps: Tensor) -> Tensor:
    """(B, C, y, x) to (B, C, 2 y, 2 x): zeros in between, then the filter; the mean stays."""
    n_channels = maps.shape[1]
    # Between two pixels a filter of four taps sees two of them: the transposed convolution.
    kernel = 4 * _kernel(maps).expand(n_channels, 1, -1, -1)
    return F.conv_transpose2d(maps, kernel, stride=2, padding=1, groups=n_channels)


def fir_down(maps: Tensor, pad: int = 1, stride: int = 2) -> Tensor:
    """(B, C, y, x) to (B, C, y / 2, x / 2): the filter, then every second pixel.

    Args:
        maps: What is halved.
        pad: Pixels of zeros on every side.
        stride: 1 leaves the dropping of pixels to a convolution that follows.
    """
    n_channels = maps.shape[1]
    kernel = _kernel(maps).expand(n_channels, 1, -1, -1)
    return F.conv2d(maps, kernel, stride=stride, padding=pad, groups=n_channels)


def _kernel(maps: Tensor) -> Tensor:
    taps = torch.tensor(TAPS, dtype=maps.dtype, device=maps.device)
    return torch.outer(taps, taps)[None, None] / taps.sum() ** 2
