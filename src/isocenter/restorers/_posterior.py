"""Samples of one slice, given what was measured of it and a denoiser."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from isocenter.diffusion.denoiser import Denoiser
from isocenter.diffusion.guidance import Consistency, noise_aware
from isocenter.diffusion.projector import HighFrequencies, Projector
from isocenter.diffusion.published import Published
from isocenter.diffusion.sampler import Model, renoised_sampler
from isocenter.diffusion.schedule import geometric, replanned
from isocenter.errors import BadKSpace
from isocenter.restorers._prior_units import Measured
from isocenter.restorers._samples import Clock, Pace, Timed, antithetic

__all__ = ["Counted", "Draw", "Posterior", "published"]

FIRST_LEVEL = 0.3
"""Noise on the SENSE image, in units of the prior: enough to forget its artefacts."""
LAST_LEVEL = 0.01

Images = Complex[Tensor, "b y x"]
Level = Float[Tensor, " b"]
Draw = Callable[[int, int], Images]
"""From a first number on, so many samples."""


class Counted:
    """A denoiser that knows how many images it was asked for."""

    def __init__(self, denoiser: Denoiser) -> None:
        self.denoiser, self.evaluations = denoiser, 0

    def __call__(
        self, noisy: Complex[Tensor, "b y x"], sigma: Float[Tensor, " b"]
    ) -> Complex[Tensor, "b y x"]:
        """As the denoiser."""
        self.evaluations += len(noisy)
        return self.denoiser(noisy, sigma)


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws by denoising, agreeing with the data and noising again, from SENSE on.

    Where all coil maps are 0 no data speak, and step by step a prior would paint there what it
    knows to lie around such an image: it stays 0, as it does by every other method.
    """

    measured: Measured
    denoiser: Denoiser
    projector: Projector
    rng: torch.Generator
    consistency_iterations: int = field(kw_only=True)

    def of_steps(self, n_steps: int) -> Draw:
        """What draws samples of so many steps."""

        def draw(first: int, n_items: int) -> Images:
            return self._drawn(first, n_items, geometric(*self._ends(n_items), n_steps))

        return draw

    def paced(self, seconds_per_step: float, clock: Clock) -> Timed:
        """What draws samples of as many steps as fit before a time.

        Args:
            seconds_per_step: Of one sample, as a first guess.
            clock: The one of that time.
        """

        def draw(first: int, n_items: int, deadline: float) -> Images:
            to_come = Pace(deadline, n_items * seconds_per_step, clock)
            return self._drawn(first, n_items, replanned(*self._ends(n_items), to_come))

        return draw

    def seconds_per_step(self, n_items: int, clock: Clock) -> float:
        """Of one sample in a batch of so many: the second of two steps, which finds all awake."""
        draw = self.of_steps(1)
        draw(0, n_items)
        began = clock()
        draw(0, n_items)
        return (clock() - began) / n_items

    def _drawn(self, first: int, n_items: int, levels: Iterable[Level]) -> Images:
        start = self._start.expand(n_items, -1, -1)
        noise = antithetic(self.rng, first, n_items)
        return renoised_sampler(self._model(n_items), start, levels, noise)

    @cached_property
    def _start(self) -> Complex[Tensor, "one y x"]:
        return self.measured.sense()

    def _ends(self, n_items: int) -> tuple[Level, Level]:
        """First and last noise level; the data's own noise is not to be passed."""
        last = max(self.measured.sigma, LAST_LEVEL)
        first, real = max(FIRST_LEVEL, 2 * last), self._start.real
        return real.new_full((n_items,), first), real.new_full((n_items,), last)

    def _model(self, n_items: int) -> Model:
        sigma = self._start.real.new_full((n_items,), self.measured.sigma)
        data = self.measured.data(n_items)
        agree = Consistency(data, noise_aware(sigma), self.consistency_iterations)
        support = self.measured.support
        return Model(self.denoiser, self.projector, lambda x, level: agree(x * support, level))


def published(
    measured: Measured,
    denoiser: Denoiser,
    projector: Projector,
    rng: torch.Generator,
    *,
    n_steps: int,
    largest_noise: float = math.inf,
) -> Draw:
    """What draws samples as the published program does, faults included.

    Its process ends in noise 150 times as large as an image is bright.  A prior that was not
    trained with so much would be asked for what it cannot know, so that the process then grows
    more slowly and ends at the largest noise that the prior knows; all else is as published.

    Raises:
        BadKSpace: No centre was fully measured, which it starts from.
    """
    if not isinstance(projector, HighFrequencies):
        raise BadKSpace(
            "the published sampler starts from a fully measured centre of k-space and there is "
            "none: measure one, or leave out legacy"
        )
    sampler, low = Published(n_steps=n_steps), measured.low(projector)
    # Of a rate that grows linearly, log(1 + noise^2) at the end is the mean of both its ends.
    fastest = 2 * math.log1p(largest_noise**2) - sampler.slowest
    sampler = replace(sampler, fastest=min(sampler.fastest, fastest))

    def draw(first: int, n_items: int) -> Complex[Tensor, "b y x"]:
        data, start = measured.data(n_items), low.expand(n_items, -1, -1)
        return sampler(denoiser, projector, data, start, antithetic(rng, first, n_items))

    return draw
