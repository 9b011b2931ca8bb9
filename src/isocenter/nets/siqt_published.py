"""SIQT's protocol around one of its four networks: the brightness that it learned from, and back.

Lin et al., Medical Image Analysis 87:102807, 2023, doi:10.1016/j.media.2023.102807, as its code
has it: brightness on a scale of landmarks for low and one for high field, then less the mean and
over the standard deviation of all patches.  The numbers stand beside the weights.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from isocenter.errors import UsageError
from isocenter.nets import aniso_unet, espcn, iso_unet, sr_unet
from isocenter.ops.intensity_scale import PERCENTILES, IntensityScale
from isocenter.ops.thick_slices import Acquisition, interpolation
from isocenter.ops.windows import multiply_along

__all__ = ["Config", "SiqtPublished", "build"]

DEEPEST = 16
"""Voxels that the published depths pool to one, along every axis."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network; the published one by default.

    Raises:
        UsageError: Another ratio than 2, 4 or 8.
    """

    net: Literal["aniso_unet", "sr_unet", "iso_unet", "espcn"] = "aniso_unet"
    ratio: int = 8
    """Thin slices for a thick one."""
    width: int = 16
    """Channels of the first level; ESPCN has its own."""

    def __post_init__(self) -> None:
        if self.ratio not in (2, 4, 8):
            raise UsageError(f"ratio is {self.ratio}: the published protocol takes 2, 4 or 8")

    @property
    def multiples(self) -> tuple[int, int, int]:
        """What the sides of thick slices and their number are multiples of."""
        return DEEPEST, DEEPEST, DEEPEST // self.ratio


def build(config: Config, *, seed: int = 0) -> "SiqtPublished":
    """The network of ``config`` with weights drawn from ``seed``."""
    return SiqtPublished(config, seed)


class SiqtPublished(nn.Module):
    """Thick slices (B, 1, x, y, z) to thin ones (B, 1, x, y, ratio * z), on scales of 1 to 100."""

    def __init__(self, config: Config, seed: int) -> None:
        super().__init__()
        self.config = config
        self.inner = _inner(config, seed)
        straight = torch.linspace(1, 100, len(PERCENTILES))
        self.low_landmarks: Tensor
        self.high_landmarks: Tensor
        self.low_spread: Tensor
        self.high_spread: Tensor
        self.register_buffer("low_landmarks", straight)
        self.register_buffer("high_landmarks", straight.clone())
        self.register_buffer("low_spread", torch.tensor([0.0, 1.0]))
        self.register_buffer("high_spread", torch.tensor([0.0, 1.0]))

    def learn_scale(
        self,
        scales: tuple[IntensityScale, IntensityScale],
        spreads: tuple[tuple[float, float], tuple[float, float]],
    ) -> None:
        """Remember the brightness of what is learned from.

        Args:
            scales: Of low and of high field.
            spreads: Mean and standard deviation of all patches on these scales.
        """
        for name, scale, spread in zip(("low", "high"), scales, spreads, strict=True):
            getattr(self, f"{name}_landmarks").copy_(torch.tensor(scale.landmarks))
            getattr(self, f"{name}_spread").copy_(torch.tensor(spread))

    def scales(self) -> tuple[IntensityScale, IntensityScale]:
        """Of low and of high field."""
        low, high = (
            IntensityScale(tuple(one.double().tolist()))
            for one in (self.low_landmarks, self.high_landmarks)
        )
        return low, high

    def forward(self, thick: Tensor) -> Tensor:
        """The mean; the first of ``ratio`` thin slices is where their thick one is."""
        mean, deviation = self.low_spread
        even = (thick - mean) / deviation
        if self.config.net == "iso_unet":
            even = multiply_along(even, self._cubic(thick.shape[-1]), 4)
        mean, deviation = self.high_spread
        said: Tensor = self.inner(even).float() * deviation + mean
        return said

    def _cubic(self, n_thick: int) -> Tensor:
        ratio = self.config.ratio
        back = interpolation(n_thick * ratio, n_thick, Acquisition(ratio, phase=0.0), order=3)
        return back.T


def _inner(config: Config, seed: int) -> nn.Module:
    if config.net == "aniso_unet":
        return aniso_unet.build(aniso_unet.Config(config.ratio, width=config.width), seed=seed)
    if config.net == "sr_unet":
        return sr_unet.build(sr_unet.Config(config.ratio, width=config.width), seed=seed)
    if config.net == "iso_unet":
        return iso_unet.build(iso_unet.Config(width=config.width), seed=seed)
    return espcn.build(espcn.Config(config.ratio), seed=seed)
