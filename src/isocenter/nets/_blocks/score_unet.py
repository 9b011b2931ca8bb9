"""The U-Net that score networks share: residual stages down and up, joined after every stage.

Ho et al., arXiv:2006.11239, appendix B; Song et al., arXiv:2011.13456, appendix H.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.errors import UsageError

__all__ = [
    "EPSILON",
    "Parts",
    "ScoreBlock",
    "ScoreConfig",
    "ScoreUNet",
    "begin_as_nothing",
    "checked",
]

EPSILON = 1e-6
"""Of the norms."""


@dataclass(frozen=True)
class ScoreConfig:
    """What decides the shape of every such network."""

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
    dropout: float = 0.0

    @property
    def widths(self) -> list[int]:
        """Channels of every level."""
        return [self.width * factor for factor in self.factors]

    @property
    def multiple(self) -> int:
        """What both sides of an image must be a multiple of."""
        return int(2 ** (len(self.factors) - 1))


@dataclass(frozen=True, eq=False)
class Parts:
    """What a network is made of; ``condition`` tells every part the level of the noise."""

    block: Callable[[int, int], nn.Module]
    """From channels in and out: (maps, condition) to maps."""
    attend: Callable[[int], nn.Module]
    """From channels: maps to maps."""
    shrink: Callable[[int, int], nn.Module]
    """From channels of the maps and of what is fed beside them: (maps, fed, condition) to both
    at half of the resolution."""
    grow: Callable[[int], nn.Module]
    """From channels: (maps, condition) to twice the resolution."""
    n_groups: Callable[[int], int]
    """Of a norm, from channels."""
    attends_last: bool = False
    """On the way up only behind the last block of a level."""


class ScoreUNet(nn.Module):
    """Abstract: an heir says what its parts are and how the level of the noise is told."""

    def __init__(self, config: ScoreConfig, parts: Parts) -> None:
        super().__init__()
        widths, n_blocks = config.widths, config.n_blocks
        attends = [config.side // 2**n in config.attention for n in range(len(widths))]
        self.into = nn.Conv2d(config.n_channels, config.width, 3, padding=1)
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        kept, fed = [config.width], config.n_channels
        for level, width in enumerate(widths):
            entering = [kept[-1], *[width] * (n_blocks - 1)]
            self.down.append(_stages(parts, entering, width, [attends[level]] * n_blocks))
            kept += [width] * n_blocks
            if level + 1 < len(widths):
                self.shrink.append(parts.shrink(width, fed))
                kept.append(width)
                fed = width
        present = widths[-1]
        self.middle = _stages(parts, [present, present], present, [True, False])
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for level, width in reversed(list(enumerate(widths))):
            entering = [n + kept.pop() for n in [present, *[width] * n_blocks]]
            early = attends[level] and not parts.attends_last
            behind = [*[early] * n_blocks, attends[level]]
            self.up.append(_stages(parts, entering, width, behind))
            present = width
            if level > 0:
                self.grow.append(parts.grow(width))
        self.norm = nn.GroupNorm(parts.n_groups(present), present, eps=EPSILON)
        self.out = nn.Conv2d(present, config.n_channels, 3, padding=1)

    def run(self, images: Tensor, condition: Tensor) -> Tensor:
        """Images (B, n_channels, y, x) and condition (B, n_condition) to the output."""
        kept, fed = [self.into(images)], images
        for number, stages in enumerate(self.down):
            for stage in stages:  # type: ignore[attr-defined]
                kept.append(stage(kept[-1], condition))
            if number < len(self.shrink):
                smaller, fed = self.shrink[number](kept[-1], fed, condition)
                kept.append(smaller)
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


class Stage(nn.Module):
    """A residual block, and attention behind it where there is some."""

    def __init__(self, block: nn.Module, attend: nn.Module) -> None:
        super().__init__()
        self.block, self.attend = block, attend

    def forward(self, maps: Tensor, condition: Tensor) -> Tensor:
        """(B, n_in, y, x) to (B, n_out, y, x)."""
        result: Tensor = self.attend(self.block(maps, condition))
        return result


def _stages(
    parts: Parts, entering: Sequence[int], width: int, attends: Sequence[bool]
) -> nn.ModuleList:
    return nn.ModuleList(
        Stage(parts.block(n, width), parts.attend(width) if here else nn.Identity())
        for n, here in zip(entering, attends, strict=True)
    )


class ScoreBlock(nn.Module):
    """Two convolutions beside the identity; the condition is added in between.

    Args:
        n_in: Channels that come in.
        n_out: Channels that go out.
        n_condition: Numbers that tell the level of the noise.
        dropout: Share of values left out in training.
        n_groups: Of a norm, from channels.
        gain: What the sum of both ways is multiplied by.
        resize: Applied on both ways, where the block changes the resolution (BigGAN's).
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        n_condition: int,
        *,
        dropout: float,
        n_groups: Callable[[int], int],
        gain: float = 1.0,
        resize: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.resize, self.gain = resize, gain
        self.norm1, self.norm2 = (nn.GroupNorm(n_groups(n), n, eps=EPSILON) for n in (n_in, n_out))
        self.first = nn.Conv2d(n_in, n_out, 3, padding=1)
        self.condition = nn.Linear(n_condition, n_out)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Conv2d(n_out, n_out, 3, padding=1)
        plain = n_in == n_out and resize is None
        self.across = nn.Identity() if plain else nn.Conv2d(n_in, n_out, 1)

    def forward(self, maps: Tensor, condition: Tensor) -> Tensor:
        """Maps (B, n_in, y, x) and condition (B, n_condition) to maps of n_out channels."""
        inner = F.silu(self.norm1(maps))
        if self.resize is not None:
            inner, maps = self.resize(inner), self.resize(maps)
        inner = self.first(inner) + self.condition(condition)[:, :, None, None]
        inner = self.second(self.dropout(F.silu(self.norm2(inner))))
        result: Tensor = (self.across(maps) + inner) * self.gain
        return result


def checked(config: ScoreConfig, n_groups: Callable[[int], int], multiple: int) -> None:
    """Refuse widths that the groups of a norm cannot share.

    Raises:
        UsageError: There are such.
    """
    if any(width % n_groups(width) for width in config.widths):
        raise UsageError(
            f"width {config.width} cannot be dealt to groups: give a multiple of {multiple}"
        )


def begin_as_nothing(net: nn.Module) -> None:
    """Zero the last convolution of every block, so that each begins as its shortcut."""
    for part in net.modules():
        if isinstance(part, ScoreBlock):
            for weight in part.second.parameters():
                nn.init.zeros_(weight)
