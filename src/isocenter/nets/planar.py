"""A small baseline for thick slices: planes of the interpolated scan, corrected one by one.

The 2.5-D way of many methods, among them SMORE (doi:10.1109/TMI.2020.3037187): slices are
interpolated, and a two-dimensional U-Net corrects the planes that cross them, sagittal and coronal
ones alike; both answers are averaged.  The U-Net is of our own measure.
"""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.errors import UsageError
from isocenter.nets._blocks.conditioned import ChannelNorm, Down, Up
from isocenter.nets._blocks.initial import drawn
from isocenter.nets.slab_unet import FIRST_LOG_VARIANCE
from isocenter.ops.thick_slices import splined

__all__ = ["Config", "Planar", "build"]


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network.

    Raises:
        UsageError: A ratio below 1, or an even number of planes.
    """

    ratio: int = 4
    """Thin slices for a thick one; it decides no weight."""
    widths: tuple[int, ...] = (24, 48, 72)
    """Channels of each level."""
    n_planes: int = 5
    """Neighbours that are looked at, the corrected one in their middle."""
    n_outputs: int = 1
    """1: the mean; 2: the mean and the logarithm of the variance."""

    def __post_init__(self) -> None:
        if self.ratio < 1 or self.n_planes % 2 == 0:
            raise UsageError(
                f"ratio {self.ratio} and {self.n_planes} planes: give a ratio from 1 and an odd "
                "number of planes"
            )


def build(config: Config, *, seed: int = 0) -> "Planar":
    """The network of ``config`` with weights drawn from ``seed``; it begins as interpolation."""
    net = drawn(lambda: Planar(config), seed=seed, name="planar")
    nn.init.zeros_(net.body.last.weight)
    said_first = torch.tensor([0.0, FIRST_LOG_VARIANCE])
    net.body.last.bias = nn.Parameter(said_first[: config.n_outputs].clone())
    return net


class Planar(nn.Module):
    """Thick slices (B, 1, x, y, z) to thin ones (B, n_outputs, x, y, ratio * z)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.body = _UNet(config.n_planes, config.widths, config.n_outputs)

    def forward(self, thick: Tensor) -> Tensor:
        """Mean, and the logarithm of the variance where the network has it; sides of any size.

        The middle of ``ratio`` thin slices is that of their thick one.
        """
        thin = self._interpolated(thick)
        # Across y, the two axes change places twice.
        other = self._across(self._bordered(thin.transpose(2, 3))).transpose(2, 3)
        said = (self._across(self._bordered(thin)) + other) / 2
        return torch.cat([thin + said[:, :1], said[:, 1:]], 1)

    def of_inner_planes(self, thick: Tensor) -> Tensor:
        """As in a call, but only the planes across x that have all their neighbours."""
        half = self.config.n_planes // 2
        thin = self._interpolated(thick)
        said = self._across(thin)
        return torch.cat([thin[:, :, half:-half] + said[:, :1], said[:, 1:]], 1)

    def _bordered(self, thin: Tensor) -> Tensor:
        """The first and the last plane across x repeated, so that every plane has neighbours."""
        half = self.config.n_planes // 2
        return F.pad(thin, (0, 0, 0, 0, half, half), mode="replicate")

    def _interpolated(self, thick: Tensor) -> Tensor:
        # Short numbers would lose more than the correction can give back.
        with torch.autocast(thick.device.type, enabled=False):
            return splined(thick, self.config.ratio)

    def _across(self, thin: Tensor) -> Tensor:
        """What is said of every plane across x (B, n_outputs, x, y, h), beside its neighbours."""
        stacks = thin[:, 0].unfold(1, self.config.n_planes, 1).movedim(-1, 2)
        said: Tensor = self.body(stacks.flatten(0, 1)).float()
        apart: Tensor = said.unflatten(0, stacks.shape[:2])
        return apart.movedim(2, 1)


class _UNet(nn.Module):
    """One residual block a level, and one more at the bottom."""

    def __init__(self, n_inputs: int, widths: tuple[int, ...], n_outputs: int) -> None:
        super().__init__()
        self.multiple = 2 ** (len(widths) - 1)
        self.into = nn.Conv2d(n_inputs, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_Block(width, width) for width in widths)
        self.shrink = nn.ModuleList(Down(*pair) for pair in itertools.pairwise(widths))
        self.bottom = _Block(widths[-1], widths[-1])
        self.grow = nn.ModuleList(Up(below, width) for width, below in itertools.pairwise(widths))
        self.up = nn.ModuleList(_Block(2 * width, width) for width in widths[:-1])
        self.last = nn.Conv2d(widths[0], n_outputs, 3, padding=1)

    def forward(self, planes: Tensor) -> Tensor:
        """(B, n_inputs, a, b) to (B, n_outputs, a, b); the border is repeated to even sides."""
        a, b = planes.shape[-2:]
        rest = (0, -b % self.multiple, 0, -a % self.multiple)
        maps = self.into(F.pad(planes, rest, mode="replicate"))
        sides: list[Tensor] = []
        for level, block in enumerate(self.down):
            maps = block(maps)
            if level < len(self.shrink):
                sides.append(maps)
                maps = self.shrink[level](maps)
        maps = self.bottom(maps)
        for level in reversed(range(len(self.up))):
            maps = self.up[level](torch.cat([self.grow[level](maps), sides[level]], 1))
        said: Tensor = self.last(maps)
        return said[..., :a, :b]


class _Block(nn.Module):
    """Two 3 x 3 convolutions beside a linear shortcut."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            ChannelNorm(n_in),
            nn.Conv2d(n_in, n_out, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(n_out, n_out, 3, padding=1),
        )
        self.shortcut = nn.Conv2d(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        said: Tensor = self.shortcut(maps) + self.main(maps)
        return said
