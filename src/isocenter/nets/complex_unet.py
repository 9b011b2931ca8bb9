"""A compact U-Net that takes noise out of complex images, in EDM's preconditioning.

Karras et al., arXiv:2206.00364, section 5 and table 1: the network sees an image of variance 1 and
its output is added to a share of the noisy image, both by the noise level.  The convolutional
U-Net under it is of our own measure: pixels are gathered 2 x 2 at the door (as FFDNet does,
doi:10.1109/TIP.2018.2839891), so that the work is done at half the resolution in wide maps;
normalisation is over channels alone and there is no attention, so that it may learn on crops.
"""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.errors import UsageError
from isocenter.nets._blocks.conditioned import ChannelNorm, ConditionedBlock, Down, Up, waves
from isocenter.nets._blocks.initial import drawn

__all__ = ["ComplexUNet", "Config", "build"]

N_WAVES = 16


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network; the defaults are the shipped prior's."""

    widths: tuple[int, ...] = (48, 96, 192)
    """Channels of each level; the first one works at 1 / ``door`` of the resolution."""
    n_down: tuple[int, ...] = (1, 1, 2)
    """Blocks of each level on the way down; those of the last level are the bottom."""
    n_up: tuple[int, ...] = (2, 1)
    """Blocks of each level but the last on the way up."""
    door: int = 2
    """Pixels that are gathered, each way."""
    n_condition: int = 128
    sigma_data: float = 0.4
    """Standard deviation of the real or imaginary part of clean images."""

    @property
    def multiple(self) -> int:
        """What both sides of an image must be a multiple of."""
        return int(self.door * 2 ** (len(self.widths) - 1))


def build(config: Config, *, seed: int = 0) -> "ComplexUNet":
    """The network of ``config`` with weights drawn from ``seed``.

    Raises:
        UsageError: The numbers of levels do not fit each other.
    """
    if not len(config.widths) == len(config.n_down) == len(config.n_up) + 1:
        raise UsageError(
            f"widths {config.widths}, n_down {config.n_down} and n_up {config.n_up} do not fit: "
            "give n_down as many numbers as widths, n_up one less"
        )
    net = drawn(lambda: ComplexUNet(config), seed=seed, name="complex_unet")
    for part in net.modules():
        if isinstance(part, ConditionedBlock):  # each block begins as nothing
            nn.init.zeros_(part.second.weight)
    nn.init.zeros_(net.out.weight)
    return net


class ComplexUNet(nn.Module):
    """Expected clean image of a noisy one."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        widths, n_condition = config.widths, config.n_condition
        n_gathered = 2 * config.door**2
        self.embed = nn.Sequential(
            nn.Linear(4 * N_WAVES, n_condition),
            nn.SiLU(),
            nn.Linear(n_condition, n_condition),
            nn.SiLU(),
        )
        self.into = nn.Conv2d(n_gathered, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            _blocks(width, width, n, n_condition)
            for width, n in zip(widths, config.n_down, strict=True)
        )
        self.shrink = nn.ModuleList(Down(*pair) for pair in itertools.pairwise(widths))
        self.grow = nn.ModuleList(Up(below, width) for width, below in itertools.pairwise(widths))
        self.up = nn.ModuleList(
            _blocks(2 * width, width, n, n_condition)
            for width, n in zip(widths, config.n_up, strict=False)
        )
        self.norm = ChannelNorm(widths[0])
        self.out = nn.Conv2d(widths[0], n_gathered, 3, padding=1)

    def forward(self, noisy: Tensor, log_sigma: Tensor, kept: Tensor) -> Tensor:
        """Expected clean image (B, 2, y, x), float32.

        Args:
            noisy: (B, 2, y, x) real and imaginary part, float32; the sides are multiples of
                ``config.multiple``.
            log_sigma: (B,) natural logarithm of the noise's standard deviation in each part.
            kept: (B,) share of the columns of k-space, around its centre, that hold no noise;
                0 = all hold noise.
        """
        sigma = log_sigma.exp()[:, None, None, None]
        spread = self.config.sigma_data
        total = (sigma.square() + spread**2).sqrt()
        told = torch.cat([waves(log_sigma / 4, N_WAVES), waves(8 * kept, N_WAVES)], 1)
        condition = self.embed(told)
        inner = self._inner(noisy / total, condition).float()
        return noisy * (spread / total).square() + inner * (sigma * spread / total)

    def _inner(self, images: Tensor, condition: Tensor) -> Tensor:
        """The U-Net: images of variance 1 to maps of variance 1."""
        door = self.config.door
        # Short numbers at the door would add a noise of their own to nearly clean images.
        with torch.autocast(images.device.type, enabled=False):
            maps = self.into(F.pixel_unshuffle(images, door))
        sides: list[Tensor] = []
        for level, blocks in enumerate(self.down):
            maps = _through(blocks, maps, condition)
            if level < len(self.shrink):
                sides.append(maps)
                maps = self.shrink[level](maps)
        for level in reversed(range(len(self.up))):
            maps = torch.cat([self.grow[level](maps), sides[level]], 1)
            maps = _through(self.up[level], maps, condition)
        return F.pixel_shuffle(self.out(F.silu(self.norm(maps))), door)


def _blocks(n_in: int, n_out: int, n: int, n_condition: int) -> nn.ModuleList:
    return nn.ModuleList(
        ConditionedBlock(n_in if i == 0 else n_out, n_out, n_condition) for i in range(n)
    )


def _through(blocks: nn.Module, maps: Tensor, condition: Tensor) -> Tensor:
    for block in blocks:  # type: ignore[attr-defined]
        maps = block(maps, condition)
    return maps
