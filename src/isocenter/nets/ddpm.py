"""The U-Net of denoising diffusion, in the configuration that HFS-SDE was published with.

Ho et al., arXiv:2006.11239, appendix B, as it is used for score matching in arXiv:2011.13456 and
by HFS-SDE, arXiv:2208.05481.  The defaults have 34,425,602 weights.  As published, the
single attention stands at the lowest resolution, because ``attention`` names a side that no level
of a 320 x 320 image has.
"""

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.nets._blocks.attention2d import PixelAttention
from isocenter.nets._blocks.initial import drawn
from isocenter.nets._blocks.score_unet import (
    EPSILON,
    Parts,
    ScoreBlock,
    ScoreConfig,
    ScoreUNet,
    begin_as_nothing,
    checked,
)

__all__ = ["DDPM", "Config", "build"]

LONGEST = 10000.0
"""Period of the slowest wave of the embedding, over 2 pi."""


@dataclass(frozen=True)
class Config(ScoreConfig):
    """Everything that decides the shape of the network; the defaults are the published one."""

    dropout: float = 0.1
    shifted: bool = True
    """Feed ``2 x - 1``, as published, which suits images from 0 to 1 and no signed parts."""


def build(config: Config, *, seed: int = 0) -> "DDPM":
    """The network of ``config`` with weights drawn from ``seed``.

    Raises:
        UsageError: A width that no 32 groups can share, where it has 32 or more channels.
    """
    checked(config, _groups, 32)
    net = drawn(lambda: DDPM(config), seed=seed, name="ddpm")
    begin_as_nothing(net)
    return net


class DDPM(ScoreUNet):
    """What a score network says of an image at a noise level."""

    def __init__(self, config: Config) -> None:
        n_condition = 4 * config.width
        block = partial(
            ScoreBlock, n_condition=n_condition, dropout=config.dropout, n_groups=_groups
        )
        super().__init__(config, Parts(block, _attention, _Shrink, _Grow, _groups))
        self.config = config
        self.embed = nn.Sequential(
            nn.Linear(config.width, n_condition), nn.SiLU(), nn.Linear(n_condition, n_condition)
        )

    def forward(self, images: Tensor, level: Tensor) -> Tensor:
        """Output (B, n_channels, y, x); what it means is the training's to say.

        Args:
            images: (B, n_channels, y, x); the sides are multiples of ``config.multiple``.
            level: (B,) of the noise, as it is embedded: for HFS-SDE its standard deviation.
        """
        condition = F.silu(self.embed(positions(level, self.config.width)))
        return self.run(2 * images - 1 if self.config.shifted else images, condition)


class _Shrink(nn.Module):
    """A strided convolution with a margin behind."""

    def __init__(self, n_channels: int, n_fed: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(n_channels, n_channels, 3, stride=2)

    def forward(self, maps: Tensor, fed: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        return self.convolution(F.pad(maps, (0, 1, 0, 1))), fed


class _Grow(nn.Module):
    """Every pixel twice along both axes, then a convolution."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(n_channels, n_channels, 3, padding=1)

    def forward(self, maps: Tensor, condition: Tensor) -> Tensor:
        result: Tensor = self.convolution(F.interpolate(maps, scale_factor=2.0))
        return result


def positions(values: Tensor, n_features: int) -> Tensor:
    """Sines, then cosines, of values times rates from 1 down to 1 / LONGEST: (B, n_features)."""
    half = n_features // 2
    steps = torch.arange(half, device=values.device) / max(1, half - 1)
    angles = values[:, None] * torch.exp(-math.log(LONGEST) * steps)
    return torch.cat([angles.sin(), angles.cos()], 1)


def _attention(n_channels: int) -> PixelAttention:
    return PixelAttention(n_channels, nn.GroupNorm(_groups(n_channels), n_channels, eps=EPSILON))


def _groups(n_channels: int) -> int:
    return min(32, n_channels)
