"""A residual network with one linear layer on its pooled features, for images or volumes.

He et al., arXiv:1512.03385; on volumes Hara et al., arXiv:1711.09577.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import Tensor, nn

from isocenter.data.random import child, generator
from isocenter.nets._blocks.initial import drawn
from isocenter.nets._blocks.resnet import ResNet, kaiming

__all__ = ["Config", "PooledResNet", "build"]


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network."""

    depth: Literal[18, 34, 50] = 18
    n_dims: Literal[2, 3] = 2
    """2 for images, 3 for volumes."""
    n_inputs: int = 1
    n_outputs: int = 1
    width: int = 64
    """Channels of the first convolution; 64 in the paper."""


def build(config: Config, *, seed: int = 0) -> "PooledResNet":
    """The network of ``config`` with weights drawn from ``seed``."""
    net = drawn(partial(PooledResNet, config), seed=seed, name="resnet")
    kaiming(net, child(generator(seed), "resnet", "convolutions"))
    return net


class PooledResNet(nn.Module):
    """Classifier or regression on the mean of the last map."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.trunk = ResNet(
            config.depth, n_dims=config.n_dims, n_inputs=config.n_inputs, width=config.width
        )
        self.fc = nn.Linear(self.trunk.n_features[-1], config.n_outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Outputs (B, n_outputs).

        Args:
            images: (B, n_inputs, H, W), or volumes (B, n_inputs, D, H, W); brightness about 1.
        """
        outputs: Tensor = self.fc(self.trunk(images)[-1].flatten(2).mean(2))
        return outputs
