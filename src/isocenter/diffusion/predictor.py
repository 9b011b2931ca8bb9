"""Predictors: one step from a time, or a noise level, to a lower one.

Two families.  Steps of a :class:`Process` take a score and go from ``t`` to ``after``; steps of
plain noise levels take clean estimates and go from ``sigma`` to ``after``, for any process,
because all are the same once the diffused part has full scale.
"""

import math
from typing import NamedTuple, Protocol

from jaxtyping import Complex, Float
from torch import Tensor

from isocenter.diffusion.process import Process
from isocenter.diffusion.projector import Projector

__all__ = [
    "Moved",
    "Predictor",
    "ancestral",
    "ddim",
    "euler_maruyama",
    "extrapolated",
    "heun",
    "reverse_diffusion",
]

Images = Complex[Tensor, "b y x"]
Level = Float[Tensor, " b"]


class Moved(NamedTuple):
    """Where a stochastic step leads."""

    image: Images
    mean: Images
    """The same without the noise that the step added: what a sampler ends with."""


class Predictor(Protocol):
    """A step of a process from ``t`` down to ``after``."""

    def __call__(
        self, process: Process, x: Images, score: Images, t: float, after: float, noise: Images
    ) -> Moved:
        """Args: ``score`` of ``x`` at ``t``, with guidance; white ``noise``."""


def euler_maruyama(
    process: Process, x: Images, score: Images, t: float, after: float, noise: Images
) -> Moved:
    """Euler's step of the reverse SDE: Song et al., arXiv:2011.13456, equation 6."""
    step, diffusion = t - after, process.diffusion(t)
    mean = x - step * process.drift(x, t) + step * diffusion**2 * score
    return Moved(mean + math.sqrt(step) * diffusion * process.projector(noise), mean)


def reverse_diffusion(
    process: Process, x: Images, score: Images, t: float, after: float, noise: Images
) -> Moved:
    """The forward transition turned round: arXiv:2011.13456, equation 46."""
    factor, added = process.transition(after, t)
    mean = x - (factor - 1) * process.projector(x) + added**2 * score
    return Moved(mean + added * process.projector(noise), mean)


def ancestral(
    process: Process, x: Images, score: Images, t: float, after: float, noise: Images
) -> Moved:
    """The exact step if the clean estimate were the clean image: arXiv:2006.11239, equation 7."""
    factor, added = process.transition(after, t)
    mean = x + (1 / factor - 1) * process.projector(x) + added**2 / factor * score
    left = process.deviation(after) * added / process.deviation(t)
    return Moved(mean + left * process.projector(noise), mean)


def ddim(
    projector: Projector,
    x: Images,
    clean: Images,
    agreed: Images,
    levels: tuple[Level, Level],
    noise: Images | None = None,
    eta: float = 0.0,
) -> Images:
    """Noise the agreed estimate again, in part with the noise that was found, in part with new.

    Song et al., arXiv:2010.02502, equation 12, with a data-consistent estimate in the place of
    the denoised one as in DDS (Chung et al., arXiv:2303.05754, algorithm 1).

    Args:
        projector: Part that is diffused.
        x: At the first of ``levels``.
        clean: Denoised ``x``.
        agreed: ``clean`` brought into agreement with data, or ``clean`` itself.
        levels: From where to where, per item.
        noise: White; wanted where ``eta`` is not 0.
        eta: Part of the new noise, 0 (all found) to 1 (all new).
    """
    here, after = (level[:, None, None] for level in levels)
    moved = agreed
    if eta < 1:
        moved = moved + math.sqrt(1 - eta**2) * after / here * projector(x - clean)
    if eta > 0 and noise is not None:
        moved = moved + eta * after * projector(noise)
    return moved


def extrapolated(clean: Images, before: Images, steps: tuple[Tensor, Tensor]) -> Images:
    """Clean estimate for a second-order step, from this one and the one before.

    DPM-Solver++ 2M: Lu et al., arXiv:2211.01095, algorithm 2.

    Args:
        clean: At this level.
        before: At the level before.
        steps: Differences of ``log(sigma)`` per item: the last one, and the one to come.
    """
    last, coming = (step[:, None, None] for step in steps)
    return clean + coming / (2 * last) * (clean - before)


def heun(
    projector: Projector,
    x: Images,
    clean: Images,
    there: Images,
    levels: tuple[Level, Level],
) -> Images:
    """The step with the mean of the slopes at both ends: Karras et al., arXiv:2206.00364, alg. 1.

    Args:
        projector: Part that is diffused.
        x: At the first of ``levels``.
        clean: Clean estimate there.
        there: Clean estimate at the second level, where :func:`ddim` leads.
        levels: From where to where, per item; the second above 0.
    """
    here, after = (level[:, None, None] for level in levels)
    tried = clean + after / here * projector(x - clean)
    slope = (projector(x - clean) / here + projector(tried - there) / after) / 2
    return (clean + there) / 2 + projector(x - (clean + there) / 2) + (after - here) * slope
