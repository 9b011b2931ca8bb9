"""First weights: torch's own defaults, but from an explicit generator."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from isocenter.data.random import child, generator

__all__ = ["drawn", "glorot", "torch_default"]

Net = TypeVar("Net", bound=nn.Module)


def drawn(make: Callable[[], Net], *, seed: int, name: str) -> Net:
    """The network that ``make`` builds, every linear layer and convolution drawn from ``seed``.

    Args:
        make: Builds the network; what it draws from the global generator is drawn again.
        seed: Decides the weights.
        name: Of the network; two networks with one seed share no draws.
    """
    # torch draws its default weights from the global generator: put that back as it was.
    with torch.random.fork_rng(devices=[]):
        net = make()
    torch_default(net, child(generator(seed), name))
    return net


def torch_default(net: nn.Module, rng: torch.Generator) -> None:
    """Draw linear layers and convolutions as torch does: uniform, bound 1 / sqrt(fan-in)."""
    for part in net.modules():
        if isinstance(part, nn.Linear | nn.Conv2d | nn.Conv3d):
            bound = part.weight[0].numel() ** -0.5
            nn.init.uniform_(part.weight, -bound, bound, generator=rng)
            if part.bias is not None:
                nn.init.uniform_(part.bias, -bound, bound, generator=rng)


def glorot(net: nn.Module, rng: torch.Generator) -> None:
    """Draw convolutions as Keras does: uniform, variance 2 / (fan-in + fan-out); no bias.

    Glorot and Bengio, AISTATS 2010, equation 16.
    """
    for part in net.modules():
        if isinstance(part, nn.Conv3d | nn.ConvTranspose3d):
            n_taps = part.weight[0, 0].numel()
            bound = (6 / (n_taps * (part.in_channels + part.out_channels))) ** 0.5
            nn.init.uniform_(part.weight, -bound, bound, generator=rng)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
