"""Samples of one slice, given what was measured of it and a denoiser."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from isocenter.diffusion.denoiser import Denoiser
from isocenter.diffusion.guidance import Consistency, noise_aware
from isocenter.diffusion.projector import HighFrequencies, Projector
from isocenter.diffusion.published import Published
from isocenter.diffusion.sampler import Model, renoised_sampler
from isocenter.diffusion.schedule import geometric
from isocenter.errors import BadKSpace
from isocenter.restorers._prior_units import Measured
from isocenter.restorers._samples import antithetic

__all__ = ["Counted", "Draw", "Posterior", "published"]

FIRST_LEVEL = 0.3
"""Noise on the SENSE image, in units of the prior: enough to forget its artefacts."""
LAST_LEVEL = 0.01

Draw = Callable[[int, int], Complex[Tensor, "b y x"]]
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
    """Draws by denoising, agreeing with the data and noising again, from SENSE on."""

    measured: Measured
    denoiser: Denoiser
    projector: Projector
    rng: torch.Generator
    consistency_iterations: int = field(kw_only=True)

    def of_steps(self, n_steps: int) -> Draw:
        """What draws samples of so many steps."""

        def draw(first: int, n_items: int) -> Complex[Tensor, "b y x"]:
            levels = geometric(*self._ends(n_items), n_steps)
            start = self._start.expand(n_items, -1, -1)
            noise = antithetic(self.rng, first, n_items)
            return renoised_sampler(self._model(n_items), start, levels, noise)

        return draw

    def seconds_per_step(self, n_items: int) -> float:
        """Of one sample in a batch of so many: the second of two steps, which finds all awake."""
        draw = self.of_steps(1)
        draw(0, n_items)
        began = time.monotonic()
        draw(0, n_items)
        return (time.monotonic() - began) / n_items

    @cached_property
    def _start(self) -> Complex[Tensor, "one y x"]:
        return self.measured.sense()

    def _ends(self, n_items: int) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        """First and last noise level; the data's own noise is not to be passed."""
        last = max(self.measured.sigma, LAST_LEVEL)
        first, real = max(FIRST_LEVEL, 2 * last), self._start.real
        return real.new_full((n_items,), first), real.new_full((n_items,), last)

    def _model(self, n_items: int) -> Model:
        sigma = self._start.real.new_full((n_items,), self.measured.sigma)
        data = self.measured.data(n_items)
        agree = Consistency(data, noise_aware(sigma), self.consistency_iterations)
        return Model(self.denoiser, self.projector, agree)


def published(
    measured: Measured,
    denoiser: Denoiser,
    projector: Projector,
    rng: torch.Generator,
    *,
    n_steps: int,
) -> Draw:
    """What draws samples as the published program does, faults included.

    Raises:
        BadKSpace: No centre was fully measured, which it starts from.
    """
    if not isinstance(projector, HighFrequencies):
        raise BadKSpace(
            "the published sampler starts from a fully measured centre of k-space and there is "
            "none: measure one, or leave out legacy"
        )
    sampler, low = Published(n_steps=n_steps), measured.low(projector)

    def draw(first: int, n_items: int) -> Complex[Tensor, "b y x"]:
        data, start = measured.data(n_items), low.expand(n_items, -1, -1)
        return sampler(denoiser, projector, data, start, antithetic(rng, first, n_items))

    return draw
