"""The U-Net of denoising diffusion, in the configuration that HFS-SDE was published with.

Ho et al., arXiv:2006.11239, appendix B, as it is used for score matching in arXiv:2011.13456 and
by HFS-SDE, arXiv:2208.05481.  The defaults have 34,425,602 weights.  As published, the
single attention stands at the lowest resolution, because ``attention`` names a side that no level
of a 320 x 320 image has.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.errors import UsageError
from isocenter.nets._blocks.attention2d import PixelAttention
from isocenter.nets._blocks.initial import drawn

__all__ = ["DDPM", "Config", "build"]

LONGEST = 10000.0
"""Period of the slowest wave of the embedding, over 2 pi."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network; the defaults are the published one."""

    width: int = 128
    """Channels of the first level."""
    factors: tuple[int, ...] = (1, 2, 2, 2)
    """Channels of each level over ``width``."""
    n_blocks: int = 2
    """Blocks of a level on the way down; one more on the way up."""
    attention: tuple[int, ...] = (16,)
    """Sides of maps after whose blocks there is attention, for images of side ``side``."""
    side: int = 320
    n_channels: int = 2
    dropout: float = 0.1
    shifted: bool = True
    """Feed ``2 x - 1``, as published, which suits images from 0 to 1 and no signed parts."""

    @property
    def multiple(self) -> int:
        """What both sides of an image must be a multiple of."""
        return int(2 ** (len(self.factors) - 1))


def build(config: Config, *, seed: int = 0) -> "DDPM":
    """The network of ``config`` with weights drawn from ``seed``.

    Raises:
        UsageError: A width that no 32 groups can share, where it has 32 or more channels.
    """
    if any(config.width * factor % _groups(config.width * factor) for factor in config.factors):
        raise UsageError(f"width {config.width} cannot be dealt to groups: give a multiple of 32")
    net = drawn(lambda: DDPM(config), seed=seed, name="ddpm")
    for part in net.modules():  # each block begins as nothing
        if isinstance(part, Block):
            for weight in part.second.parameters():
                nn.init.zeros_(weight)
    return net


class DDPM(nn.Module):
    """What a score network says of an image at a noise level."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        width, n_condition = config.width, 4 * config.width
        widths = [width * factor for factor in config.factors]
        sides = [config.side // 2**level for level in range(len(widths))]
        self.embed = nn.Sequential(
            nn.Linear(width, n_condition), nn.SiLU(), nn.Linear(n_condition, n_condition)
        )
        self.into = nn.Conv2d(config.n_channels, width, 3, padding=1)
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        kept, present = [width], width
        for level, n_out in enumerate(widths):
            stages = nn.ModuleList()
            for _ in range(config.n_blocks):
                stages.append(self._stage(present, n_out, sides[level]))
                present = n_out
                kept.append(present)
            self.down.append(stages)
            if level + 1 < len(widths):
                self.shrink.append(nn.Conv2d(present, present, 3, stride=2))
                kept.append(present)
        self.middle = nn.ModuleList(
            [self._stage(present, present, attends=True), self._stage(present, present)]
        )
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(len(widths))):
            stages = nn.ModuleList()
            for _ in range(config.n_blocks + 1):
                stages.append(self._stage(present + kept.pop(), widths[level], sides[level]))
                present = widths[level]
            self.up.append(stages)
            if level > 0:
                self.grow.append(nn.Conv2d(present, present, 3, padding=1))
        self.norm = _norm(present)
        self.out = nn.Conv2d(present, config.n_channels, 3, padding=1)

    def forward(self, images: Tensor, level: Tensor) -> Tensor:
        """Output (B, n_channels, y, x); what it means is the training's to say.

        Args:
            images: (B, n_channels, y, x); the sides are multiples of ``config.multiple``.
            level: (B,) of the noise, as it is embedded: for HFS-SDE its standard deviation.
        """
        condition = F.silu(self.embed(positions(level, self.config.width)))
        maps = self.into(2 * images - 1 if self.config.shifted else images)
        kept = [maps]
        for number, stages in enumerate(self.down):
            for stage in stages:  # type: ignore[attr-defined]
                kept.append(stage(kept[-1], condition))
            if number < len(self.shrink):
                kept.append(self.shrink[number](F.pad(kept[-1], (0, 1, 0, 1))))
        maps = kept[-1]
        for stage in self.middle:
            maps = stage(maps, condition)
        for number, stages in enumerate(self.up):
            for stage in stages:  # type: ignore[attr-defined]
                maps = stage(torch.cat([maps, kept.pop()], 1), condition)
            if number < len(self.grow):
                maps = self.grow[number](F.interpolate(maps, scale_factor=2.0))
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
        self.attend = PixelAttention(n_out, _norm(n_out)) if attends else nn.Identity()

    def forward(self, maps: Tensor, condition: Tensor) -> Tensor:
        """(B, n_in, y, x) to (B, n_out, y, x)."""
        result: Tensor = self.attend(self.block(maps, condition))
        return result


class Block(nn.Module):
    """Two convolutions beside the identity; the condition is added in between."""

    def __init__(self, n_in: int, n_out: int, n_condition: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = _norm(n_in), _norm(n_out)
        self.first = nn.Conv2d(n_in, n_out, 3, padding=1)
        self.condition = nn.Linear(n_condition, n_out)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Conv2d(n_out, n_out, 3, padding=1)
        self.across = nn.Conv2d(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, maps: Tensor, condition: Tensor) -> Tensor:
        """Maps (B, n_in, y, x) and condition (B, n_condition) to (B, n_out, y, x)."""
        inner = self.first(F.silu(self.norm1(maps))) + self.condition(condition)[:, :, None, None]
        inner = self.second(self.dropout(F.silu(self.norm2(inner))))
        result: Tensor = self.across(maps) + inner
        return result


def positions(values: Tensor, n_features: int) -> Tensor:
    """Sines, then cosines, of values times rates from 1 down to 1 / LONGEST: (B, n_features)."""
    half = n_features // 2
    steps = torch.arange(half, device=values.device) / max(1, half - 1)
    angles = values[:, None] * torch.exp(-math.log(LONGEST) * steps)
    return torch.cat([angles.sin(), angles.cos()], 1)


def _norm(n_channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(_groups(n_channels), n_channels, eps=1e-6)


def _groups(n_channels: int) -> int:
    return min(32, n_channels)
