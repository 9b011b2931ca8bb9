"""HyS-Net: blind quality of volume patches by a head whose weights depend on the patch.

arXiv:2107.06888.  A residual network looks at a patch.  Three branches turn its last map into the
weights and offsets of three fully connected layers (the hyper-network), which turn its pooled
features into one score.  What the paper leaves open follows the network that it builds on,
doi:10.1109/CVPR42600.2020.00372: the lengths of the layers, their activation, the linear map in
front of them.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from isocenter.data.random import child, generator
from isocenter.errors import UsageError
from isocenter.nets._blocks.initial import drawn
from isocenter.nets._blocks.label_scale import OnLabelScale
from isocenter.nets._blocks.resnet import CONVOLUTIONS, ResNet, kaiming

__all__ = ["Config", "HySNet", "build"]

ACTIVATIONS: dict[str, type[nn.Module]] = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network; the defaults are the published one."""

    depth: Literal[18, 34, 50] = 18
    """Layers of the residual network."""
    hyper: bool = True
    """Whether the head's weights are generated; else they are learned, the same for all."""
    n_dims: Literal[2, 3] = 3
    """3 for patches, 2 for slices."""
    n_inputs: int = 1
    width: int = 64
    """Channels of the stem."""
    first_stride: int = 2
    """Stride of the stem along the first axis; 1 is the literal reading of the paper's trunk."""
    pool: bool = True
    """Whether the stem ends in a max-pool."""
    head: tuple[int, ...] = (224, 112, 56, 1)
    """Length of the head's input and of its layers' outputs; the last one is the score."""
    direct: bool = False
    """Give the pooled features themselves to the head, whose lengths are then all outputs."""
    branch: tuple[int, int] = (256, 128)
    """Channels of the two convolutions of each branch."""
    activation: Literal["sigmoid", "relu"] = "sigmoid"
    """Between the head's layers."""


def build(config: Config, *, seed: int = 0) -> "HySNet":
    """The network of ``config`` with weights drawn from ``seed``.

    Raises:
        UsageError: A head without a layer, or an unknown activation.
    """
    if len(config.head) + config.direct < 2 or config.activation not in ACTIVATIONS:
        raise UsageError(
            f"HyS-Net cannot be built with head {config.head} and activation "
            f"{config.activation!r}: give two lengths or more, and one of {', '.join(ACTIVATIONS)}"
        )
    net = drawn(lambda: HySNet(config), seed=seed, name="hysnet")
    rng = child(generator(seed), "hysnet", "generated")
    kaiming(net.trunk, rng)
    if isinstance(net.head, HyperHead):
        net.head.reset(rng)
    return net


class HySNet(OnLabelScale):
    """Residual network, hyper-network and head."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.trunk = ResNet(
            config.depth,
            n_dims=config.n_dims,
            n_inputs=config.n_inputs,
            width=config.width,
            pool=config.pool,
            first_stride=config.first_stride,
        )
        n_features = self.trunk.n_features[-1]
        lengths = (n_features, *config.head) if config.direct else config.head
        self.reduce = nn.Identity() if config.direct else nn.Linear(n_features, lengths[0])
        activation = ACTIVATIONS[config.activation]()
        self.head: HyperHead | StaticHead = (
            HyperHead(n_features, lengths, config.branch, config.n_dims, activation)
            if config.hyper
            else StaticHead(lengths, activation)
        )

    def forward(self, patches: Tensor) -> Tensor:
        """Quality of each patch (B, 1), in the label's unit.

        Args:
            patches: (B, n_inputs, *spatial), brightness from 0 to 1.
        """
        last = self.trunk(patches)[-1]
        score: Tensor = self.head(last, self.reduce(last.flatten(2).mean(-1)))
        return self.in_unit(score)


class HyperHead(nn.Module):
    """Fully connected layers whose weights and offsets one branch each makes of a map."""

    def __init__(
        self,
        n_features: int,
        lengths: tuple[int, ...],
        widths: tuple[int, int],
        n_dims: int,
        activation: nn.Module,
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            Branch(n_features, widths, n_dims, n_in, n_out) for n_in, n_out in pairwise(lengths)
        )
        self.activation = activation

    def forward(self, features: Tensor, values: Tensor) -> Tensor:
        """From (B, lengths[0]) to (B, lengths[-1]) under the map (B, n_features, *spatial)."""
        column = values[:, :, None]
        for i, branch in enumerate(self.branches):
            weight, offset = branch(features)
            column = torch.baddbmm(offset[:, :, None], weight, column)
            if i + 1 < len(self.branches):
                column = self.activation(column)
        return column[:, :, 0]

    def reset(self, rng: torch.Generator) -> None:
        """Draw the generators such that each head starts as a layer of its own would."""
        for branch in self.branches:
            branch.reset(rng)  # type: ignore[operator]


class Branch(nn.Module):
    """Two convolutions of width 1, the maximum over the map, one linear layer."""

    def __init__(
        self, n_features: int, widths: tuple[int, int], n_dims: int, n_in: int, n_out: int
    ) -> None:
        super().__init__()
        convolution = CONVOLUTIONS[n_dims]
        self.conv1 = convolution(n_features, widths[0], 1)
        self.conv2 = convolution(widths[0], widths[1], 1)
        self.relu = nn.ReLU()
        self.n_in, self.n_out = n_in, n_out
        self.generate = nn.Linear(widths[1], n_in * n_out + n_out)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (B, n_out, n_in) and offsets (B, n_out)."""
        near = self.relu(self.conv2(self.relu(self.conv1(features))))
        made = self.generate(near.flatten(2).amax(-1))
        weight, offset = made.split([self.n_in * self.n_out, self.n_out], dim=1)
        return weight.unflatten(1, (self.n_out, self.n_in)), offset

    def reset(self, rng: torch.Generator) -> None:
        """Weights of variance 1 / n_in from features of mean square 1; offsets of 0."""
        deviation = (self.n_in * self.generate.in_features) ** -0.5
        nn.init.normal_(self.generate.weight, std=deviation, generator=rng)
        nn.init.zeros_(self.generate.bias)
        with torch.no_grad():
            self.generate.weight[self.n_in * self.n_out :] = 0


class StaticHead(nn.Module):
    """The same layers with weights of their own: what the hyper-network is compared with."""

    def __init__(self, lengths: tuple[int, ...], activation: nn.Module) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(lengths):
            layers += [nn.Linear(n_in, n_out), activation]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, features: Tensor, values: Tensor) -> Tensor:
        """From (B, lengths[0]) to (B, lengths[-1]); the map ``features`` is not used."""
        score: Tensor = self.layers(values)
        return score
