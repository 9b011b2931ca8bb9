"""NCSN++: the U-Net of score matching at every noise level.

Song et al., arXiv:2011.13456, appendix H: random Fourier features of the logarithm of the noise
level, BigGAN's residual blocks, which also change the resolution, the filter [1, 3, 3, 1]
wherever they do (arXiv:1904.11486), sums divided by the root of two, and the image itself fed to
every level on the way down ("residual").  score-MRI uses it with ``width`` 128, ``factors``
(1, 2, 2, 2) and 4 blocks a level, doi:10.1016/j.media.2022.102479.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.data.random import child, generator
from isocenter.nets._blocks.attention2d import PixelAttention
from isocenter.nets._blocks.fir import fir_down, fir_up
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

__all__ = ["Config", "NCSNpp", "build"]

HALF = math.sqrt(0.5)


@dataclass(frozen=True)
class Config(ScoreConfig):
    """Everything that decides the shape of the network."""

    n_blocks: int = 4
    """Blocks of a level on the way down; one more on the way up."""
    fourier_scale: float = 16.0
    """Standard deviation of the rates of the embedding's waves."""


def build(config: Config, *, seed: int = 0) -> "NCSNpp":
    """The network of ``config`` with weights drawn from ``seed``.

    Raises:
        UsageError: A width that its groups cannot share.
    """
    checked(config, _groups, 128)
    net = drawn(lambda: NCSNpp(config), seed=seed, name="ncsnpp")
    rates = torch.randn(len(net.rates), generator=child(generator(seed), "ncsnpp", "rates"))
    net.rates.copy_(config.fourier_scale * rates)
    begin_as_nothing(net)
    return net


class NCSNpp(ScoreUNet):
    """What a score network says of an image at a noise level."""

    rates: Tensor

    def __init__(self, config: Config) -> None:
        n_condition = 4 * config.width
        block = partial(
            ScoreBlock,
            n_condition=n_condition,
            dropout=config.dropout,
            n_groups=_groups,
            gain=HALF,
        )
        parts = Parts(
            block,
            _attention,
            partial(_Shrink, block),
            lambda n: block(n, n, resize=fir_up),
            _groups,
            attends_last=True,
        )
        super().__init__(config, parts)
        self.config = config
        self.register_buffer("rates", torch.zeros(config.width))
        self.embed = nn.Sequential(
            nn.Linear(2 * config.width, n_condition),
            nn.SiLU(),
            nn.Linear(n_condition, n_condition),
        )

    def forward(self, images: Tensor, log_sigma: Tensor) -> Tensor:
        """Output (B, n_channels, y, x); what it means is the training's to say.

        Args:
            images: (B, n_channels, y, x); the sides are multiples of ``config.multiple``.
            log_sigma: (B,) natural logarithm of the noise's standard deviation.
        """
        angles = 2 * math.pi * log_sigma[:, None] * self.rates
        condition = F.silu(self.embed(torch.cat([angles.sin(), angles.cos()], 1)))
        return self.run(images, condition)


class _Shrink(nn.Module):
    """A block at half of the resolution, joined with the image itself."""

    def __init__(self, block: Callable[..., ScoreBlock], n_channels: int, n_fed: int) -> None:
        super().__init__()
        self.block = block(n_channels, n_channels, resize=fir_down)
        self.feed = nn.Conv2d(n_fed, n_channels, 3, stride=2)

    def forward(self, maps: Tensor, fed: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        # The filter, then a strided convolution, without an edge of its own.
        smaller = self.feed(fir_down(fed, pad=2, stride=1))
        joined = (smaller + self.block(maps, condition)) * HALF
        return joined, joined


def _attention(n_channels: int) -> PixelAttention:
    norm = nn.GroupNorm(_groups(n_channels), n_channels, eps=EPSILON)
    return PixelAttention(n_channels, norm, HALF)


def _groups(n_channels: int) -> int:
    return max(1, min(32, n_channels // 4))
