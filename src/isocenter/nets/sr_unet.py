"""The plain U-Net that SIQT is compared with: no shortcuts, no normalisation.

As the code of SIQT (doi:10.1016/j.media.2023.102807) has it, after Heinrich et al.: pairs of
convolutions, and one transposed convolution across slices on every skip connection.  The
published baseline has four levels whatever its settings say (2,300,001 weights at a ratio of 8).
"""

from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from operator import mul

import torch
from torch import Tensor, nn

from isocenter.data.random import child, generator
from isocenter.nets._blocks.initial import drawn, glorot
from isocenter.nets._blocks.volume_unet import heads, pools_of

__all__ = ["Config", "SRUNet", "build"]


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network; the published one by default."""

    ratio: int = 8
    width: int = 16
    n_levels: int = 4
    n_inputs: int = 1
    n_outputs: int = 1


def build(config: Config, *, seed: int = 0) -> "SRUNet":
    """The network of ``config`` with weights drawn from ``seed``."""
    net = drawn(partial(SRUNet, config), seed=seed, name="sr_unet")
    glorot(net, child(generator(seed), "sr_unet", "convolutions"))
    return net


class SRUNet(nn.Module):
    """Thick slices (B, n_inputs, x, y, z) to thin ones (B, n_outputs, x, y, ratio * z)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        pools = pools_of(config.ratio, config.n_levels)
        factors = [within for within, _ in pools]
        widths = [config.width * n for n in accumulate([1, *factors], mul)]
        steps = [across / within for within, across in pools]
        scales = [round(config.ratio * n) for n in accumulate([1.0, *steps], mul)]
        self.down = nn.ModuleList(_pair(a, b) for a, b in pairwise([config.n_inputs, *widths]))
        self.pools = nn.ModuleList(nn.MaxPool3d((a, a, b)) for a, b in pools)
        self.skips = nn.ModuleList(
            nn.ConvTranspose3d(width, width, (1, 1, scale), (1, 1, scale))
            for width, scale in zip(widths[:-1], scales[:-1], strict=True)
        )
        self.cores = nn.ModuleList(
            _pair(width if index == len(widths) - 1 else 2 * width, width)
            for index, width in enumerate(widths)
        )
        self.ups = nn.ModuleList(
            nn.ConvTranspose3d(wide, narrow, factor, factor)
            for (narrow, wide), factor in zip(pairwise(widths), factors, strict=True)
        )
        self.last = heads(config.width, config.n_outputs)

    def forward(self, thick: Tensor) -> Tensor:
        """The mean, and the logarithm of the variance where the network has it."""
        passed = []
        x = thick
        for level, core in enumerate(self.down):
            x = core(x)
            if level < len(self.pools):
                passed.append(self.skips[level](x))
                x = self.pools[level](x)
        x = self.cores[-1](x)
        for level in reversed(range(len(self.ups))):
            x = self.cores[level](torch.cat([self.ups[level](x), passed[level]], dim=1))
        return self.last(x)  # type: ignore[no-any-return]


def _pair(n_inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(n_inputs, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv3d(width, width, 3, padding=1),
        nn.ReLU(),
    )
