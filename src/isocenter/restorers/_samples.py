"""``Samples``: several draws of one image, and what they say together."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from isocenter.data.random import child
from isocenter.diffusion.noise import Noise

__all__ = ["Plan", "Samples", "antithetic", "draw_within", "planned"]

MOST = 64
"""Samples; more change nothing."""
FEWEST_STEPS = 3


@dataclass(frozen=True)
class Plan:
    """How much to do."""

    samples: int
    steps: int


@dataclass(frozen=True, eq=False)
class Samples:
    """Draws of one slice; items 2k and 2k + 1 are an antithetic pair."""

    images: Complex[Tensor, "sample y x"]

    def mean(self) -> Complex[Tensor, "one y x"]:
        """Mean of the complex images: of all images the one of least expected squared error."""
        return self.images.mean(0, keepdim=True)

    def deviation(self) -> Float[Tensor, "one y x"] | None:
        """Standard deviation of the magnitude; ``None`` of a single draw.

        Partners lie on opposite sides of the mean, so their distance tells most of it; what
        the means of the pairs differ by is added.
        """
        pairs = self.images[: len(self.images) // 2 * 2].abs().unflatten(0, (-1, 2))
        if not len(pairs):
            return None
        variance = ((pairs[:, 0] - pairs[:, 1]) / 2).square().mean(0)
        if len(pairs) > 1:
            variance = variance + pairs.mean(1).var(0)
        deviation: Tensor = variance.sqrt()[None]
        return deviation


def antithetic(rng: torch.Generator, first: int, n_items: int) -> Noise:
    """Streams of samples ``first`` and those that follow it, two by two of opposite sign."""
    numbers = range(first, first + n_items)
    return Noise([child(rng, n // 2) for n in numbers], [1.0 - 2.0 * (n % 2) for n in numbers])


def planned(wanted: Plan, seconds_per_step: float, budget: float) -> Plan:
    """What fits into ``budget`` seconds.

    A pair is nearly as good as many samples, so two keep their steps for as long as they can;
    time to spare goes into samples, since more steps than were asked for make a sample worse.
    """
    affordable = int(budget / max(seconds_per_step, 1e-9))
    steps = max(min(wanted.steps, affordable // 2), min(FEWEST_STEPS, wanted.steps))
    return Plan(max(1, min(MOST, affordable // steps)), steps)


def draw_within(
    draw: Callable[[int, int], Complex[Tensor, "b y x"]],
    n_samples: int,
    at_once: int,
    deadline: float | None,
) -> Samples:
    """Draw batch after batch, and no further one that would end behind the deadline.

    Args:
        draw: Gives items from a first number on, so many of them.
        n_samples: At most; at least one batch is drawn.
        at_once: Items of a batch.
        deadline: On the monotonic clock, in seconds.
    """
    return Samples(torch.cat(list(_batches(draw, n_samples, at_once, deadline))))


def _batches(
    draw: Callable[[int, int], Tensor], n_samples: int, at_once: int, deadline: float | None
) -> Iterator[Tensor]:
    for first in range(0, n_samples, at_once):
        began = time.monotonic()
        yield draw(first, min(at_once, n_samples - first))
        now = time.monotonic()
        if deadline is not None and now + (now - began) > deadline:
            return
