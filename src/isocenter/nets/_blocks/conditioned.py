"""Residual blocks of 2-D maps that are told a condition, and what else a small U-Net needs."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ChannelNorm", "ConditionedBlock", "Down", "Up", "waves"]


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of every pixel: the same on a crop as on the whole."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(n_channels)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, y, x) to the same."""
        normed: Tensor = self.norm(maps.permute(0, 2, 3, 1))
        return normed.permute(0, 3, 1, 2)


class ConditionedBlock(nn.Module):
    """Two 3 x 3 convolutions beside the identity; scale and shift in between say the condition."""

    def __init__(self, n_in: int, n_out: int, n_condition: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(n_in)
        self.first = nn.Conv2d(n_in, n_out, 3, padding=1)
        self.condition = nn.Linear(n_condition, 2 * n_out)
        self.second = nn.Conv2d(n_out, n_out, 3, padding=1)
        self.across = nn.Conv2d(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, maps: Tensor, condition: Tensor) -> Tensor:
        """Maps (B, n_in, y, x) and condition (B, n_condition) to (B, n_out, y, x)."""
        scale, shift = self.condition(condition)[:, :, None, None].chunk(2, 1)
        inner = self.first(F.silu(self.norm(maps)))
        inner = self.second(F.silu(torch.addcmul(shift, inner, 1 + scale)))
        result: Tensor = self.across(maps) + inner
        return result


class Down(nn.Conv2d):
    """Half as many pixels each way."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out, 2, stride=2)


class Up(nn.Module):
    """Twice as many pixels each way: each makes its four."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(n_in, 4 * n_out, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, n_in, y, x) to (B, n_out, 2 y, 2 x)."""
        return F.pixel_shuffle(self.spread(maps), 2)


def waves(values: Tensor, n_waves: int) -> Tensor:
    """Sines and cosines of values of order 1, (B,) to (B, 2 n_waves)."""
    rates = torch.logspace(0, math.log10(100), n_waves, device=values.device)
    angles = values[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)
