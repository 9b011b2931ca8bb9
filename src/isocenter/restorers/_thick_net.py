"""``ThickNet``: a trained network of thick slices, as an enhancement needs it."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from math import prod
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.device import short_numbers
from isocenter.data.step import JSON
from isocenter.errors import BadCheckpoint, UsageError
from isocenter.nets import aniso_unet, espcn, iso_unet, planar, slab_unet, sr_unet
from isocenter.nets._blocks.volume_unet import pools_of

__all__ = ["ThickNet", "load_thick_net"]

NETS: Mapping[str, Any] = {
    "aniso_unet": aniso_unet,
    "espcn": espcn,
    "iso_unet": iso_unet,
    "planar": planar,
    "slab_unet": slab_unet,
    "sr_unet": sr_unet,
}
ANY_RATIO = ("iso_unet", "planar", "slab_unet")
REACH = 16
"""Thin voxels around the core of a tile that a network on the thin grid sees."""
LOG_VARIANCES = (-30.0, 10.0)
Halves = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class ThickNet:
    """A network with what must be known to feed it and to read it."""

    name: str
    """Of its file in ``nets``."""
    net: nn.Module
    """In evaluation mode."""
    ratio: int
    """Thin slices for a thick one."""
    device: torch.device
    calibration: Mapping[str, Any]
    facts: Mapping[str, JSON]
    """Name and hash of the weights."""

    @property
    def n_members(self) -> int:
        """Networks in one."""
        return int(getattr(self.net.config, "n_members", 1)) if self.name == "slab_unet" else 1

    @property
    def n_channels(self) -> int:
        """2 where it says how sure it is: mean and variance."""
        if self.name == "slab_unet":
            return 2
        return int(self.net.config.n_outputs)  # type: ignore[union-attr, arg-type]

    @property
    def takes_thin(self) -> bool:
        """Whether it is given slices that are interpolated already."""
        return self.name == "iso_unet"

    @property
    def multiples(self) -> tuple[int, int, int]:
        """What the sides of a tile have to be multiples of."""
        config: Any = self.net.config
        match self.name:
            case "aniso_unet":
                within, across = config.multiples
                return within, within, across
            case "sr_unet":
                pools = pools_of(config.ratio, config.n_levels)
                within, across = (prod(one) for one in zip(*pools, strict=True))
                return within, within, across
            case "iso_unet":
                side = 2 ** (config.n_levels - 1)
                return side, side, side
            case "slab_unet":
                return config.multiple, config.multiple, 1
        return 4, 4, 1

    @property
    def halo(self) -> tuple[int, int, int]:
        """Voxels around the core of a tile, within slices and across them."""
        if self.takes_thin:
            return REACH, REACH, REACH
        return REACH, REACH, HALO_ACROSS.get(self.name, max(3, -(-REACH // self.ratio)))

    @property
    def bytes_per_voxel(self) -> float:
        """Memory of a tile for each thin voxel."""
        config: Any = self.net.config
        width = getattr(config, "width", None) or max(config.widths[:1])
        return BYTES[self.name](width, self.ratio)

    @torch.inference_mode()
    def __call__(
        self, tile: Float[Tensor, "x y z"], members: int
    ) -> Float[Tensor, "channel x y fine"]:
        """Mean and variance of thin slices, of so many members one after another.

        The variance is the mean of the members' variances, and that of their means beside it.
        """
        batch = tile[None, None].to(self.device)
        means, variances = 0.0, 0.0
        squares = 0.0
        for member in range(members):
            said = self._said(batch, member)[0]
            means = means + said[0]
            squares = squares + said[0].square()
            if self.n_channels == 2:
                variances = variances + said[1].clamp(*LOG_VARIANCES).exp()
        return torch.stack([means])
