"""Noise levels and times at which a sampler stops on its way from noise to image."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["edm", "geometric", "linear_beta", "replanned", "times"]

Levels = Float[Tensor, "step b"]
"""Falling noise levels, a column for every item of a batch."""
Level = Float[Tensor, " b"]


def geometric(first: Level, last: Level, n_steps: int) -> Levels:
    """Every level is the same fraction of the one before."""
    return torch.exp(_straight(first.log(), last.log(), n_steps))


def replanned(first: Level, last: Level, to_come: Callable[[], int]) -> Iterator[Level]:
    """As :func:`geometric`, with the number of levels asked anew at every one.

    Args:
        first: Where it begins.
        last: Where it ends, after the level before which 1 was said.
        to_come: How many levels are still to come, 1 or more.
    """
    here, left = first, 2
    yield here
    while left > 1:
        left = to_come()
        here = torch.exp(_straight(here.log(), last.log(), left + 1)[1])
        yield here


def edm(first: Level, last: Level, n_steps: int, *, rho: float = 7.0) -> Levels:
    """Evenly spaced in the ``rho``-th root: Karras et al., arXiv:2206.00364, equation 5."""
    return _straight(first ** (1 / rho), last ** (1 / rho), n_steps) ** rho


def linear_beta(
    first: Level, last: Level, n_steps: int, *, slowest: float = 0.1, fastest: float = 20.0
) -> Levels:
    """Evenly spaced in the time of a variance-preserving process whose rate grows linearly.

    Its level is ``sqrt(exp(B(t)) - 1)`` with ``B`` the integral of the rate (arXiv:2011.13456,
    equation 29), which is solved for the times of the first and the last level.
    """

    def time_of(sigma: Tensor) -> Tensor:
        slope, integral = fastest - slowest, torch.log1p(sigma**2)
        return (torch.sqrt(slowest**2 + 2 * slope * integral) - slowest) / slope

    time = _straight(time_of(first), time_of(last), n_steps)
    return torch.sqrt(torch.expm1(slowest * time + (fastest - slowest) * time**2 / 2))


def times(n_steps: int, *, last: float = 1e-3) -> list[float]:
    """Evenly spaced from 1 to ``last``, the end at which published samplers stop."""
    return [float(t) for t in torch.linspace(1, last, n_steps, dtype=torch.float64)]


def _straight(first: Tensor, last: Tensor, n_steps: int) -> Tensor:
    way = torch.linspace(0, 1, n_steps, dtype=first.dtype, device=first.device)[:, None]
    return first + way * (last - first)
