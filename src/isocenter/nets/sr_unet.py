"""The plain U-Net that SIQT is compared with: no shortcuts, no normalisation.

As the code of SIQT (doi:10.1016/j.media.2023.102807) has it, after Heinrich et al.: pairs of
convolutions, and one transposed convolution across slices on every skip connection.  The
published baseline has four levels whatever its settings say (2,300,001 weights at a ratio of 8).
"""

from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from isocenter.data.random import child, generator
from isocenter.nets._blocks.initial import drawn, glorot
from isocenter.nets._blocks.volume_unet import ThickUNet, pools_of

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
        self.config = config
        self.body = ThickUNet(
            pools_of(config.ratio, config.n_levels),
            width=config.width,
            ratio=config.ratio,
            ends=(config.n_inputs, config.n_outputs),
            core=_pair,
            skip=_across,
        )

    def forward(self, thick: Tensor) -> Tensor:
        """The mean, and the logarithm of the variance where the network has it."""
        return self.body(thick)  # type: ignore[no-any-return]


def _across(width: int, scale: int) -> nn.ConvTranspose3d:
    return nn.ConvTranspose3d(width, width, (1, 1, scale), (1, 1, scale))


def _pair(n_inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(n_inputs, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv3d(width, width, 3, padding=1),
        nn.ReLU(),
    )
