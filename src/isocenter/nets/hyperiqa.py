"""HyperIQA: a network whose last layers are written anew for every image by another network.

Su et al., CVPR 2020, doi:10.1109/CVPR42600.2020.00372 (github.com/SSL92/hyperIQA): a ResNet-50
looks at the image; from its last map a hyper-network writes weights and biases of the target
network, whose input are local-distortion vectors of all four stages.  The published pooling fits
images of 224 x 224; here the maps are averaged onto the same grids, whatever the image's size.
The generators start so that generated weights have variance 1 / inputs: as published their
variance is about 2, which drives the sigmoids to their ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.data.random import child, generator
from isocenter.errors import UsageError
from isocenter.nets._blocks.initial import drawn
from isocenter.nets._blocks.resnet import ResNet, kaiming

__all__ = ["Config", "HyperIQA", "HyperNetwork", "LocalDistortion", "apply_layers", "build"]

GRID = 7
"""Side of the map that weights are generated from."""
LOCAL_GRIDS = (8, 4, 2)
"""Sides to which the maps of the first three stages are averaged."""

Layers = list[tuple[Tensor, Tensor]]
"""Weights (B, out, in) and biases (B, out) of every layer of the target network."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network; the published one by default."""

    n_inputs: int = 3
    n_outputs: int = 1
    depth: Literal[18, 34, 50] = 50
    width: int = 64
    """Channels of the first convolution of the residual network."""
    n_reduced: tuple[int, ...] = (1024, 512, 112)
    """Channels of the convolutions between its last map and the generators."""
    n_local: int = 16
    """Length of the local-distortion vectors of the first three stages; the fourth fills up."""
    local_widths: tuple[int, int, int] = (16, 32, 64)
    """Channels to which their maps are reduced."""
    sizes: tuple[int, ...] = (224, 112, 56, 28, 14)
    """Units of the target network before its last layer."""


def build(config: Config, *, seed: int = 0) -> "HyperIQA":
    """The network of ``config`` with weights drawn from ``seed``.

    Raises:
        UsageError: The products of neighbouring ``sizes`` are no multiples of 49, or the first is
            too small for the local-distortion vectors.
    """
    for n_inputs, n_outputs in pairwise(config.sizes):
        if n_inputs * n_outputs % GRID**2:
            raise UsageError(
                f"{n_inputs} x {n_outputs} weights cannot be laid out on {GRID} x {GRID} places; "
                f"choose sizes whose products are multiples of {GRID**2}"
            )
    if config.sizes[0] <= 3 * config.n_local:
        raise UsageError(
            f"sizes begin with {config.sizes[0]}, which is not above 3 x n_local = "
            f"{3 * config.n_local}; choose a larger first size"
        )
    net = drawn(partial(HyperIQA, config), seed=seed, name="hyperiqa")
    rng = child(generator(seed), "hyperiqa", "start")
    kaiming(net.trunk, rng)
    net.hyper.start(rng)
    return net


class HyperIQA(nn.Module):
    """Residual network, local-distortion vectors, hyper-network and target network."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.trunk = ResNet(config.depth, n_dims=2, n_inputs=config.n_inputs, width=config.width)
        self.local = LocalDistortion(config, self.trunk.n_features)
        self.hyper = HyperNetwork(config, self.trunk.n_features[-1])

    def forward(self, images: Tensor) -> Tensor:
        """Scores (B, n_outputs) of images (B, n_inputs, H, W); published for 224 x 224."""
        maps = self.trunk(images)
        return apply_layers(self.hyper(maps[-1]), self.local(maps))


class LocalDistortion(nn.Module):
    """A vector of every stage of the trunk, side by side."""

    def __init__(self, config: Config, n_features: tuple[int, ...]) -> None:
        super().__init__()
        sides = zip(n_features[:3], config.local_widths, LOCAL_GRIDS, strict=True)
        self.early = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(n_inputs, width, 1, bias=False),
                nn.AdaptiveAvgPool2d(grid),
                nn.Flatten(),
                nn.Linear(width * grid**2, config.n_local),
            )
            for n_inputs, width, grid in sides
        )
        self.last = nn.Linear(n_features[3], config.sizes[0] - 3 * config.n_local)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """(B, sizes[0]) of the maps of four stages."""
        early = [net(values) for net, values in zip(self.early, maps[:3], strict=True)]
        return torch.cat([*early, self.last(maps[3].mean((2, 3)))], dim=1)


class HyperNetwork(nn.Module):
    """Writes the target network's weights and biases for every image of a batch."""

    def __init__(self, config: Config, n_features: int) -> None:
        super().__init__()
        self.sizes = (*config.sizes, config.n_outputs)
        layers: list[nn.Module] = []
        for n_inputs, n_outputs in pairwise((n_features, *config.n_reduced)):
            layers += [nn.Conv2d(n_inputs, n_outputs, 1), nn.ReLU()]
        self.reduce = nn.Sequential(*layers)
        n_map = config.n_reduced[-1]
        self.weights = nn.ModuleList(
            nn.Conv2d(n_map, n_inputs * n_outputs // GRID**2, 3, padding=1)
            for n_inputs, n_outputs in pairwise(config.sizes)
        )
        self.weights.append(nn.Linear(n_map, config.sizes[-1] * config.n_outputs))
        self.biases = nn.ModuleList(nn.Linear(n_map, n_outputs) for n_outputs in self.sizes[1:])

    def forward(self, last: Tensor) -> Layers:
        """Layers of the target network from the last map (B, C, h, w)."""
        found = self.reduce(F.adaptive_avg_pool2d(last, GRID))
        return list(self._layers(found, found.mean((2, 3))))

    def _layers(self, found: Tensor, pooled: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        shapes = pairwise(self.sizes)
        for (n_inputs, n_outputs), weight, bias in zip(
            shapes, self.weights, self.biases, strict=True
        ):
            values = weight(found if isinstance(weight, nn.Conv2d) else pooled)
            yield values.reshape(len(values), n_outputs, n_inputs), bias(pooled)

    def start(self, rng: torch.Generator) -> None:
        """Draw all weights so that what they generate is of a target network's usual size."""
        for part in self.reduce:
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu", generator=rng)
        for part, n_inputs in zip(self.weights, self.sizes, strict=False):
            if isinstance(part, nn.Conv2d | nn.Linear):
                fan_in = part.weight[0].numel()
                nn.init.normal_(part.weight, 0, (n_inputs * fan_in) ** -0.5, generator=rng)
                if part.bias is not None:
                    nn.init.zeros_(part.bias)


def apply_layers(layers: Layers, values: Tensor) -> Tensor:
    """The target network of every image on its own input: sigmoids behind all layers but the last.

    Args:
        layers: Of :class:`HyperNetwork`.
        values: (B, in) of the first layer.

    Returns:
        (B, out) of the last layer.
    """
    for i, (weight, bias) in enumerate(layers):
        if i > 0:
            values = torch.sigmoid(values)
        values = torch.baddbmm(bias[:, :, None], weight, values[:, :, None])[:, :, 0]
    return values
