"""Dropout whose chance comes from an explicit generator."""

import torch
from torch import Tensor, nn

from isocenter.data.random import child, generator

__all__ = ["Drop", "seed_drops"]


class Drop(nn.Module):
    """In training, set values to 0 at random and raise the others to keep the mean.

    Args:
        rate: Share that is lost, 0 to 1.
        samples: Lose whole samples of the batch (stochastic depth) instead of single values.
    """

    def __init__(self, rate: float, *, samples: bool = False) -> None:
        super().__init__()
        self.rate, self.samples = rate, samples
        self.rng = generator(0)

    def forward(self, values: Tensor) -> Tensor:
        """Same shape (B, ...); the input itself outside training."""
        if not self.training or self.rate == 0:
            return values
        shape = (len(values), *(1,) * (values.ndim - 1)) if self.samples else values.shape
        # One number of ours seeds the device's own generator: large masks are drawn in place.
        seed = int(torch.randint(2**62, (), generator=self.rng))
        rng = torch.Generator(values.device).manual_seed(seed)
        kept = torch.empty(shape, device=values.device).bernoulli_(1 - self.rate, generator=rng)
        return values * kept.to(values.dtype) / (1 - self.rate)


def seed_drops(net: nn.Module, rng: torch.Generator) -> None:
    """Give every :class:`Drop` below ``net`` a stream of its own."""
    for name, part in net.named_modules():
        if isinstance(part, Drop):
            part.rng = child(rng, "drop", name)
