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

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.data.random import child, generator
from isocenter.errors import UsageError
from isocenter.nets._blocks.attention2d import PixelAttention
from isocenter.nets._blocks.fir import fir_down, fir_up
from isocenter.nets._blocks.initial import drawn

__all__ = ["Config", "NCSNpp", "build"]

HALF = math.sqrt(0.5)


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network."""

    width: int = 128
    """Channels of the first level."""
    factors: tuple[int, ...] = (1, 2, 2, 2)
    """Channels of each level over ``width``."""
    n_blocks: int = 4
    """Blocks of a level on the way down; one more on the way up."""
    attention: tuple[int, ...] = (16,)
    """Sides of maps after whose blocks there is attention, for images of side ``side``."""
    side: int = 320
    n_channels: int = 2
    dropout: float = 0.0
    fourier_scale: float = 16.0
    """Standard deviation of the rates of the embedding's waves."""

    @property
    def multiple(self) -> int:
        """What both sides of an image must be a multiple of."""
        return int(2 ** (len(self.factors) - 1))


def build(config: Config, *, seed: int = 0) -> "NCSNpp":
    """The network of ``config`` with weights drawn from ``seed``.

    Raises:
        UsageError: A width that its groups cannot share.
    """
    if any(config.width * factor % _groups(config.width * factor) for factor in config.factors):
        raise UsageError(f"width {config.width} cannot be dealt to groups: give a multiple of 128")
    net = drawn(lambda: NCSNpp(config), seed=seed, name="ncsnpp")
    rates = torch.randn(len(net.rates), generator=child(generator(seed), "ncsnpp", "rates"))
    net.rates.copy_(config.fourier_scale * rates)
    for part in net.modules():  # each block begins as nothing
        if isinstance(part, Block):
            for weight in part.second.parameters():
                nn.init.zeros_(weight)
    return net


class NCSNpp(nn.Module):
    """What a score network says of an image at a noise level."""

    rates: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        width, n_condition = config.width, 4 * config.width
        widths = [width * factor for factor in config.factors]
        sides = [config.side // 2**level for level in range(len(widths))]
        self.register_buffer("rates", torch.zeros(width))
        self.embed = nn.Sequential(
            nn.Linear(2 * width, n_condition), nn.SiLU(), nn.Linear(n_condition, n_condition)
        )
        self.into = nn.Conv2d(config.n_channels, width, 3, padding=1)
        self.down, self.shrink, self.feed = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        kept, present, fed = [width], width, config.n_channels
        for level, n_out in enumerate(widths):
            blocks = nn.ModuleList()
            for _ in range(config.n_blocks):
                blocks.append(self._stage(present, n_out, sides[level]))
                present = n_out
                kept.append(present)
            self.down.append(blocks)
            if level + 1 < len(widths):
                self.shrink.append(Block(present, present, n_condition, config.dropout, fir_down))
                self.feed.append(nn.Conv2d(fed, present, 3, stride=2))
                fed = present
                kept.append(present)
        self.middle = nn.ModuleList(
            [self._stage(present, present, attends=True), self._stage(present, present)]
        )
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(len(widths))):
            blocks = nn.ModuleList()
            for number in range(config.n_blocks + 1):
                # Attention comes once on the way up, behind the last block of a level.
                side = sides[level] if number == config.n_blocks else 0
                blocks.append(self._stage(present + kept.pop(), widths[level], side))
                present = widths[level]
            self.up.append(blocks)
            if level > 0:
                self.grow.append(Block(present, present, n_condition, config.dropout, fir_up))
        self.norm = _norm(present)
        self.out = nn.Conv2d(present, config.n_channels, 3, padding=1)

    def forward(self, images: Tensor, log_sigma: Tensor) -> Tensor:
        """Output (B, n_channels, y, x); what it means is the training's to say.

        Args:
            images: (B, n_channels, y, x); the sides are multiples of ``config.multiple``.
            log_sigma: (B,) natural logarithm of the noise's standard deviation.
        """
        angles = 2 * math.pi * log_sigma[:, None] * self.rates
        condition = F.silu(self.embed(torch.cat([angles.sin(), angles.cos()], 1)))
        kept, fed = [self.into(images)], images
        for number, stages in enumerate(self.down):
            for stage in stages:  # type: ignore[attr-defined]
                kept.append(stage(kept[-1], condition))
            if number < len(self.shrink):
                # The filter, then a strided convolution, without an edge of its own.
                smaller = self.feed[number](fir_down(fed, pad=2, stride=1))
                fed = (smaller + self.shrink[number](kept[-1], condition)) * HALF
                kept.append(fed)
        maps = kept[-1]
        for stage in self.middle:
            maps = stage(maps, condition)
        for number, stages in enumerate(self.up):
            for stage in stages:  # type: ignore[attr-defined]
                maps = stage(torch.cat([maps, kept.pop()], 1), condition)
            if number < len(self.grow):
                maps = self.grow[number](maps, condition)
        result: Tensor = self.out(F.silu(self.norm(maps)))
        return result

    def _stage(self, n_in: int, n_out: int, side: int = 0, *, attends: bool = False) -> "Stage":
        attends = attends or side in self.config.attention
        return Stage(n_in, n_out, 4 * self.config.width, self.config.dropout, attends)


class Stage(nn.Module):
    """A residual block, and attention behind it where there is some."""

    def __init__(
        self, n_in: int, n_out: int, n_condition: int, dropout: float, attends: bool
    ) -> None:
        super().__init__()
        self.block = Block(n_in, n_out, n_condition, dropout)
        self.attend = PixelAttention(n_out, _norm(n_out), HALF) if attends else nn.Identity()

    def forward(self, maps: Tensor, condition: Tensor) -> Tensor:
        """(B, n_in, y, x) to (B, n_out, y, x)."""
        result: Tensor = self.attend(self.block(maps, condition))
        return result


class Block(nn.Module):
    """BigGAN's: both ways change the resolution; their sum is divided by the root of two."""

    def __init__(
        self,
        n_in: int,
        n_out: int,
        n_condition: int,
        dropout: float,
        resize: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = _norm(n_in), _norm(n_out)
        self.first = nn.Conv2d(n_in, n_out, 3, padding=1)
        self.condition = nn.Linear(n_condition, n_out)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Conv2d(n_out, n_out, 3, padding=1)
        self.resize = resize
        plain = n_in == n_out and resize is None
        self.across = nn.Identity() if plain else nn.Conv2d(n_in, n_out, 1)

    def forward(self, maps: Tensor, condition: Tensor) -> Tensor:
        """Maps (B, n_in, y, x) and condition (B, n_condition) to maps of n_out channels."""
        inner = F.silu(self.norm1(maps))
        if self.resize is not None:
            inner, maps = self.resize(inner), self.resize(maps)
        inner = self.first(inner) + self.condition(condition)[:, :, None, None]
        inner = self.second(self.dropout(F.silu(self.norm2(inner))))
        result: Tensor = (self.across(maps) + inner) * HALF
        return result


def _norm(n_channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(_groups(n_channels), n_channels, eps=1e-6)


def _groups(n_channels: int) -> int:
    return max(1, min(32, n_channels // 4))
