"""``ThickNet``: a trained network of thick slices, as an enhancement needs it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from math import gcd, prod
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.device import short_numbers
from isocenter.data.preprocess import ThickScan
from isocenter.data.step import JSON
from isocenter.errors import BadCheckpoint, UsageError
from isocenter.nets import aniso_unet, banded_unet, espcn, iso_unet, planar, slab_unet, sr_unet
from isocenter.nets._blocks.volume_unet import pools_of
from isocenter.ops.thick_slices import splined

__all__ = ["ThickNet", "load_thick_net"]

NETS: Mapping[str, Any] = {
    "aniso_unet": aniso_unet,
    "banded_unet": banded_unet,
    "espcn": espcn,
    "iso_unet": iso_unet,
    "planar": planar,
    "slab_unet": slab_unet,
    "sr_unet": sr_unet,
}
OF_ONE_RATIO = ("aniso_unet", "espcn", "sr_unet")
OF_MEMBERS = ("banded_unet", "slab_unet")
"""They are told the ratio, and hold several networks in one."""
BYTES = {
    "aniso_unet": 620,
    "banded_unet": 300,
    "espcn": 310,
    "iso_unet": 580,
    "planar": 1000,
    "slab_unet": 300,
    "sr_unet": 490,
}
"""Memory of a tile for each thin voxel, at a ratio of 4 and the default width; measured."""
WITHIN = 16
"""Pixels around the core of a tile, in a slice; and thin slices across."""
OF_SPLINES = ("planar", *OF_MEMBERS)
"""They interpolate by themselves, so that a value depends on all slices of its line:"""
ACROSS_SPLINES = 8
"""on one so many slices away by less than 1e-4."""
OUTPUTS = ("mean", "correction")
"""What the first output may be: the image, or what cubic splines miss."""
LOG_VARIANCES = (-30.0, 10.0)
"""The exponential of any of them is a number."""


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
    corrects: bool
    """Whether it says what cubic splines miss, and not the image itself."""
    seen: ThickScan
    """Ratios and noise that it has learned from."""
    calibration: Mapping[str, Any]
    facts: Mapping[str, JSON]
    """Name and hash of the weights."""

    @property
    def config(self) -> Any:
        """Of the network."""
        return self.net.config

    @property
    def n_members(self) -> int:
        """Networks in one."""
        return int(getattr(self.config, "n_members", 1))

    @property
    def n_channels(self) -> int:
        """2 where it says how sure it is: mean and variance; else 1."""
        return int(getattr(self.config, "n_outputs", 2))

    @property
    def takes_thin(self) -> bool:
        """Whether it is given slices that are interpolated already."""
        return self.name == "iso_unet"

    @property
    def multiples(self) -> tuple[int, int, int]:
        """What the sides of a tile have to be multiples of."""
        match self.name:
            case "aniso_unet":
                within, across = self.config.multiples
            case "sr_unet":
                pools = pools_of(self.config.ratio, self.config.n_levels)
                within, across = (prod(one) for one in zip(*pools, strict=True))
            case "iso_unet":
                within = across = 2 ** (self.config.n_levels - 1)
            case "slab_unet" | "banded_unet":
                within = self.config.multiple
                across = within // gcd(within, self.ratio)
            case _:
                within, across = 4, 1
        return within, within, across

    @property
    def halo(self) -> tuple[int, int, int]:
        """Voxels around the core of a tile, in a slice and across."""
        across = WITHIN if self.takes_thin else -(-WITHIN // self.ratio)
        if self.corrects or self.name in OF_SPLINES:
            across = max(across, ACROSS_SPLINES)
        return WITHIN, WITHIN, across

    @property
    def bytes_per_voxel(self) -> float:
        """Memory of a tile for each thin voxel."""
        default = NETS[self.name].Config()
        return BYTES[self.name] * max(1.0, _width(self.config) / _width(default))

    @torch.inference_mode()
    def __call__(
        self, tile: Float[Tensor, "x y z"], members: int
    ) -> Float[Tensor, "channel x y fine"]:
        """Mean and variance of thin slices, brightness units.

        The variance is the mean of the members' variances plus the variance of their means.

        Args:
            tile: Thick slices, 1 = the brightness of the head.
            members: How many are asked, the first ones.
        """
        batch = tile[None, None].to(self.device)
        if self.name in OF_MEMBERS and members == self.n_members:
            return _moments(self._said(batch))
        each = [_moments(self._said(batch, member)) for member in range(members)]
        if members == 1:
            return each[0]
        means = torch.stack([one[0] for one in each])
        spread = means.var(0, correction=0)
        variance = torch.stack([one[1] for one in each]).mean(0) + spread
        return torch.stack([means.mean(0), variance])

    def _said(self, batch: Tensor, *member: int) -> Tensor:
        """Of one member, or of all together."""
        told = (self.ratio, *member) if self.name in OF_MEMBERS else ()
        with short_numbers(self.device):
            said: Tensor = self.net(batch, *told)
        if not self.corrects:
            return said
        splines = batch if self.takes_thin else splined(batch, self.ratio)
        return torch.cat([splines + said[:, :1], said[:, 1:]], 1)


def load_thick_net(path: Path | str | None, ratio: int, device: torch.device | str) -> ThickNet:
    """The network of a file, or the one that ships with the package.

    Args:
        path: A checkpoint of the recipe ``siqt``; ``None``: the shipped one.
        ratio: Thin slices for a thick one.
        device: Where it will run.

    Raises:
        BadCheckpoint: Missing, damaged, or no network of thick slices.
        UsageError: It makes another number of thin slices.
    """
    shipped = Path(str(files("isocenter") / "weights" / "siqt.safetensors"))
    place = Path(path) if path else shipped
    checkpoint = Checkpoint.load(place)
    if checkpoint.net not in NETS or checkpoint.preprocess.get("kind") != ThickScan.kind:
        raise BadCheckpoint(
            f"{place} holds {checkpoint.net!r}, which makes no thin slices: give the checkpoint "
            "of `isocenter train siqt`"
        )
    seen = ThickScan.from_json(dict(checkpoint.preprocess))
    _check_ratio(place, seen, ratio)
    told = checkpoint.outputs.get("thin")
    first = told[0] if isinstance(told, list) and told else None
    if first not in OUTPUTS:
        raise BadCheckpoint(
            f"{place} says {first!r} of thin slices: known are {' and '.join(OUTPUTS)}; load it "
            "with the version that wrote it"
        )
    net = _built(checkpoint, place, ratio)
    where = torch.device(device)
    return ThickNet(
        checkpoint.net,
        net.eval().requires_grad_(False).to(where),
        ratio,
        where,
        first == "correction",
        seen,
        checkpoint.calibration,
        {
            "weights": str(checkpoint.card.get("name", place.name)),
            "weights_sha256": checkpoint.sha256,
            "net": checkpoint.net,
        },
    )


def _check_ratio(place: Path, seen: ThickScan, ratio: int) -> None:
    least, most = seen.ratios
    if not least <= ratio <= most:
        known = f"a ratio of {least}" if least == most else f"ratios from {least} to {most}"
        raise UsageError(
            f"{place.name} has learned {known}, and the scan asks for {ratio}: give --ratio, "
            "other weights, or none for those that ship"
        )


def _built(checkpoint: Checkpoint, place: Path, ratio: int) -> nn.Module:
    module = NETS[checkpoint.net]
    config = checkpoint.configured(module.Config)
    if checkpoint.net == "planar":  # the ratio decides no weight
        config = dataclasses.replace(config, ratio=ratio)
    if checkpoint.net in OF_ONE_RATIO and config.ratio != ratio:
        raise UsageError(
            f"{place.name} makes {config.ratio} thin slices of a thick one, and the scan asks for "
            f"{ratio}: give --ratio {config.ratio}, other weights, or none for those that ship"
        )
    net: nn.Module = module.build(config)
    checkpoint.load_into(net)
    return net


def _moments(said: Float[Tensor, "1 channel x y fine"]) -> Float[Tensor, "channel x y fine"]:
    """Mean and, where there is one, variance."""
    parts = said[0].float()
    if len(parts) == 2:
        parts = torch.stack([parts[0], parts[1].clamp(*LOG_VARIANCES).exp()])
    return parts


def _width(config: Any) -> float:
    """Channels of the first level."""
    width: float = config.width if hasattr(config, "width") else config.widths[0]
    return width
