"""Two networks of thick slices in one: one for small ratios, one for large ones.

The published system (doi:10.1016/j.media.2023.102807) has a network for each ratio.  One that is
taught several learns each of them half as fast as one that is taught it alone, even where it is
told the ratio (measured: docs/benchmarks.md).
"""

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor, nn

from isocenter.data.random import child, generator
from isocenter.errors import UsageError
from isocenter.nets import slab_unet
from isocenter.nets.slab_unet import LARGEST_RATIO, Config, SlabUNet

__all__ = ["BANDS", "BandedUNet", "Config", "build"]

BANDS: Mapping[str, range] = MappingProxyType(
    {"low": range(1, 6), "high": range(6, LARGEST_RATIO + 1)}
)
"""Ratios of each part."""


def build(config: Config, *, seed: int = 0) -> "BandedUNet":
    """Two networks of ``config`` with weights drawn from ``seed``; both begin as interpolations."""
    seeds = {band: child(generator(seed), band).initial_seed() for band in BANDS}
    return BandedUNet({band: slab_unet.build(config, seed=one) for band, one in seeds.items()})


class BandedUNet(nn.Module):
    """Mean and logarithm of the variance of thin slices, from thick ones.

    Args:
        parts: A network of each of ``BANDS``; of one configuration.

    Raises:
        UsageError: Other bands, or networks that differ.
    """

    def __init__(self, parts: Mapping[str, SlabUNet]) -> None:
        super().__init__()
        configs = {part.config for part in parts.values()}
        if set(parts) != set(BANDS) or len(configs) != 1:
            raise UsageError(
                f"bands {sorted(parts)} with {len(configs)} configurations: give one network for "
                f"each of {', '.join(BANDS)}, all of the same configuration"
            )
        self.parts = nn.ModuleDict({band: parts[band] for band in BANDS})

    @property
    def config(self) -> Config:
        """Of each part."""
        config: Config = self.parts["low"].config  # type: ignore[assignment]
        return config

    def forward(
        self,
        thick: Tensor,
        ratio: int = 4,
        member: int | None = None,
        halo: int = 0,
        *,
        inner: bool = False,
    ) -> Tensor:
        """As :meth:`isocenter.nets.slab_unet.SlabUNet.forward` of the part that knows ``ratio``."""
        band = "low" if ratio in BANDS["low"] else "high"
        thin: Tensor = self.parts[band](thick, ratio, member, halo, inner=inner)
        return thin
