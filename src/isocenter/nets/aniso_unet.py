"""The anisotropic U-Net of SIQT: thick slices in, thin slices out.

Lin et al., Medical Image Analysis 87:102807, 2023, doi:10.1016/j.media.2023.102807: pools within
slices until voxels are isotropic, then along all axes; every skip connection passes a bottleneck
and a learned upsampling across slices.  9,692,185 weights at a ratio of 8.
"""

from dataclasses import dataclass
from functools import partial
from math import prod

from torch import Tensor, nn

from isocenter.data.random import child, generator
from isocenter.errors import UsageError
from isocenter.nets._blocks.initial import drawn, glorot
from isocenter.nets._blocks.volume_unet import Core, SkipBottleneck, ThickUNet, pools_of

__all__ = ["AnisoUNet", "Config", "build"]


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network; the published one by default.

    Raises:
        UsageError: A ratio that cannot be made of factors 2 and 3 on that many levels.
    """

    ratio: int = 8
    """Thin slices for a thick one: 1, 2, 3, 4, 6 or 8."""
    width: int = 16
    """Channels of the first level."""
    n_levels: int = 5
    n_inputs: int = 1
    n_outputs: int = 1
    """1: the mean; 2: the mean and the logarithm of the variance."""
    n_convolutions: int = 2
    n_mappings: int = 2

    def __post_init__(self) -> None:
        if self.ratio not in (1, 2, 3, 4, 6, 8):
            raise UsageError(f"ratio is {self.ratio}: give 1, 2, 3, 4, 6 or 8")
        pools = pools_of(self.ratio, self.n_levels)
        if prod(within // across for within, across in pools) != self.ratio:
            raise UsageError(f"{self.n_levels} levels are too few for a ratio of {self.ratio}")

    @property
    def pools(self) -> list[tuple[int, int]]:
        """Factors within and across slices from each level to the next."""
        return pools_of(self.ratio, self.n_levels)

    @property
    def multiples(self) -> tuple[int, int]:
        """What the sides of a slice and the number of thick slices are multiples of."""
        return prod(within for within, _ in self.pools), prod(across for _, across in self.pools)


def build(config: Config, *, seed: int = 0) -> "AnisoUNet":
    """The network of ``config`` with weights drawn from ``seed``."""
    net = drawn(partial(AnisoUNet, config), seed=seed, name="aniso_unet")
    glorot(net, child(generator(seed), "aniso_unet", "convolutions"))
    return net


class AnisoUNet(nn.Module):
    """Thick slices (B, n_inputs, x, y, z) to thin ones (B, n_outputs, x, y, ratio * z)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.body = ThickUNet(
            config.pools,
            width=config.width,
            ratio=config.ratio,
            ends=(config.n_inputs, config.n_outputs),
            core=partial(Core, n_convolutions=config.n_convolutions),
            skip=partial(SkipBottleneck, n_mappings=config.n_mappings),
        )

    def forward(self, thick: Tensor) -> Tensor:
        """Mean, and the logarithm of the variance where the network has it.

        Raises:
            UsageError: Sides that the pools do not divide; see ``Config.multiples``.
        """
        self._check(thick)
        return self.body(thick)  # type: ignore[no-any-return]

    def _check(self, thick: Tensor) -> None:
        within, across = self.config.multiples
        x, y, z = thick.shape[-3:]
        if x % within or y % within or z % across:
            raise UsageError(
                f"thick slices of {x} x {y} x {z}: give sides that are multiples of {within} in a "
                f"slice, and a multiple of {across} slices"
            )
