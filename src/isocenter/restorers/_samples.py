"""``Samples``: several draws of one image, and what they say together."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from isocenter.data.random import child
from isocenter.diffusion.noise import Noise

__all__ = ["Pace", "Plan", "Samples", "antithetic", "drawn_until", "in_batches", "planned"]

MOST = 64
"""Samples; more change nothing."""
FEWEST_STEPS, MOST_STEPS = 3, 100
"""Of a sample under a time budget."""
TRUSTED = 2
"""Steps that the first guess of the speed counts for."""
Clock = Callable[[], float]
"""Seconds, such as ``time.monotonic``."""


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

    def variance(self) -> Float[Tensor, "one y x"] | None:
        """Of the magnitude; ``None`` of a single draw.

        Partners lie on opposite sides of the mean, so their distance tells most of it; what
        the means of the pairs differ by is added.
        """
        pairs = self.images[: len(self.images) // 2 * 2].abs().unflatten(0, (-1, 2))
        if not len(pairs):
            return None
        variance: Tensor = ((pairs[:, 0] - pairs[:, 1]) / 2).square().mean(0)
        if len(pairs) > 1:
            variance = variance + pairs.mean(1).var(0)
        return variance[None]


def antithetic(rng: torch.Generator, first: int, n_items: int) -> Noise:
    """Streams of samples ``first`` and those that follow it, two by two of opposite sign."""
    numbers = range(first, first + n_items)
    return Noise([child(rng, n // 2) for n in numbers], [1.0 - 2.0 * (n % 2) for n in numbers])


def planned(n_wanted: int, seconds_per_step: float, budget: float) -> Plan:
    """What fits into ``budget`` seconds: the samples that were asked for, in as many steps.

    Fewer samples where not even the fewest steps fit, and more of them, in pairs, once they have
    as many steps as are of use: up to there steps are worth more than samples.
    """
    fits = int(budget / max(seconds_per_step, 1e-9))
    n_samples = max(1, min(n_wanted, fits // FEWEST_STEPS))
    if fits > n_wanted * MOST_STEPS:
        n_samples = min(2 * math.ceil(fits / MOST_STEPS / 2), MOST)
    return Plan(n_samples, min(max(fits // n_samples, FEWEST_STEPS), MOST_STEPS))


@dataclass(eq=False)
class Pace:
    """How many steps of a batch are still to come, if it is to end at a time.

    Asked before every step; the speed is the one that was told at first, corrected by that of
    the steps since, so that neither a wrong guess nor other work on the machine adds up.
    """

    deadline: float
    seconds_per_step: float
    """Of the whole batch."""
    clock: Clock
    _began: float = field(init=False)
    _asked: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._began = self.clock()

    def __call__(self) -> int:
        """Levels still to come, as :func:`~isocenter.diffusion.schedule.replanned` asks."""
        now, done = self.clock(), self._asked
        self._asked += 1
        told = TRUSTED * self.seconds_per_step
        each = max((now - self._began + told) / (done + TRUSTED), 1e-9)
        # The step that is about to be made belongs to a level that was already told.
        fits = int((self.deadline - now) / each + 0.5) - 1
        return min(max(fits, FEWEST_STEPS - self._asked, 1), max(MOST_STEPS - self._asked, 1))


def in_batches(
    draw: Callable[[int, int], Complex[Tensor, "b y x"]], n_samples: int, at_once: int
) -> Iterator[Complex[Tensor, "b y x"]]:
    """All samples, so many at once; ``draw`` is told the first one's number, and how many."""
    for first in range(0, n_samples, at_once):
        yield draw(first, min(at_once, n_samples - first))


Timed = Callable[[int, int, float], Complex[Tensor, "b y x"]]
"""From a first number on, so many samples, that are to be done at a time."""


def drawn_until(
    draw: Timed, n_samples: int, at_once: int, end: float, clock: Clock
) -> Iterator[Complex[Tensor, "b y x"]]:
    """Batches, each with an equal share of the time that is left when it begins."""
    for first in range(0, n_samples, at_once):
        left, now = n_samples - first, clock()
        share = min(at_once, left) / left
        yield draw(first, min(at_once, left), now + share * (end - now))
