"""HyS-Net and what it is compared with, by name: networks that give a part of a scan its label."""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from isocenter.nets import hysnet, resnet
from isocenter.nets._blocks.label_scale import OnLabelScale
from isocenter.training.networks.slice_nets import SLICE_NETS, Size, build_slice_net

__all__ = ["LABEL_NETS", "LabelNet", "Scaled", "build_label_net", "is_of_slices"]

LabelNet = Literal[
    "hysnet", "resnet", "cnniqa", "dbcnn", "hyperiqa", "maniqa", "two_stream", "wadiqam"
]
"""``resnet``: HyS-Net's trunk and one linear layer; those behind it look at slices alone."""
LABEL_NETS: tuple[LabelNet, ...] = get_args(LabelNet)


class Scaled(OnLabelScale):
    """Any network, on labels of mean 0 and spread 1.

    Args:
        net: From parts (B, 1, *spatial) to (B, 1).
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        # Some networks end in a rectifier: without it they could not go below the mean.
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, parts: Tensor) -> Tensor:
        """Label of each part (B, 1)."""
        return self.in_unit(self.net(parts) + self.offset)


def is_of_slices(name: LabelNet) -> bool:
    """Whether a network takes slices and no cubes."""
    return name in SLICE_NETS


def build_label_net(
    name: LabelNet, config: hysnet.Config, size: Size, *, seed: int
) -> OnLabelScale:
    """A network with drawn weights.

    Args:
        name: Which one.
        config: Of HyS-Net; ``resnet`` takes its depth, dimensions and width.
        size: Of the networks of slices.
        seed: Of the weights.
    """
    if name == "hysnet":
        return hysnet.build(config, seed=seed)
    if is_of_slices(name):
        return Scaled(build_slice_net(name, size, seed=seed))
    trunk = resnet.Config(depth=config.depth, n_dims=config.n_dims, width=config.width)
    return Scaled(resnet.build(trunk, seed=seed))
