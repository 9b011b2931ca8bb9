"""The isotropic U-Net that SIQT is compared with: thin slices in, interpolated before.

As the code of SIQT (doi:10.1016/j.media.2023.102807) intends it; as published, every convolution
of a block but the last one is without effect.  9,188,337 weights at a width of 16.
"""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from isocenter.data.random import child, generator
from isocenter.nets._blocks.initial import drawn, glorot
from isocenter.nets._blocks.volume_unet import heads, seen

__all__ = ["Config", "IsoUNet", "build"]


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network; the published one by default."""

    width: int = 16
    n_levels: int = 5
    n_inputs: int = 1
    n_outputs: int = 1


def build(config: Config, *, seed: int = 0) -> "IsoUNet":
    """The network of ``config`` with weights drawn from ``seed``."""
    net = drawn(partial(IsoUNet, config), seed=seed, name="iso_unet")
    glorot(net, child(generator(seed), "iso_unet", "convolutions"))
    return net


class IsoUNet(nn.Module):
    """Interpolated slices (B, n_inputs, x, y, z) to better ones (B, n_outputs, x, y, z)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        widths = [config.width * 2**level for level in range(config.n_levels)]
        self.down = nn.ModuleList(_pair(a, b) for a, b in pairwise([config.n_inputs, *widths]))
        self.pool = nn.MaxPool3d(2)
        self.cores = nn.ModuleList(
            _pair(width if index == len(widths) - 1 else 2 * width, width)
            for index, width in enumerate(widths)
        )
        self.ups = nn.ModuleList(nn.ConvTranspose3d(b, a, 2, 2) for a, b in pairwise(widths))
        self.last = heads(config.width, config.n_outputs)

    def forward(self, thin: Tensor) -> Tensor:
        """The mean; sides are multiples of ``2**(n_levels - 1)``."""
        passed = []
        x = thin
        for level, core in enumerate(self.down):
            x = core(x)
            if level < len(self.ups):
                passed.append(x)
                x = self.pool(x)
        x = self.cores[-1](x)
        for level in reversed(range(len(self.ups))):
            x = self.cores[level](torch.cat([self.ups[level](x), passed[level]], dim=1))
        return self.last(x)  # type: ignore[no-any-return]


def _pair(n_inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(seen(n_inputs, width, 3), seen(width, width, 3))
