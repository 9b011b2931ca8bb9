"""Correctors: steps at one noise level."""

import torch
from jaxtyping import Complex
from torch import Tensor

from isocenter.diffusion._lengths import lengths, over
from isocenter.diffusion.predictor import Moved
from isocenter.diffusion.projector import Projector

__all__ = ["langevin"]

Images = Complex[Tensor, "b y x"]


def langevin(
    projector: Projector,
    x: Images,
    score: Images,
    direction: Images,
    noise: Images,
    *,
    snr: float,
    alpha: float = 1.0,
    of_batch: bool = False,
) -> Moved:
    """One step of Langevin dynamics whose length is set by a signal-to-noise ratio.

    Song et al., arXiv:2011.13456, algorithms 4 and 5: ``2 alpha (snr |z| / |s|)^2``.

    Args:
        projector: Part that is diffused.
        x: Images at the level.
        score: What the step's length is measured by.
        direction: Where the step goes: the score, with guidance where there is some.
        noise: White.
        snr: Greater is longer.
        alpha: Part of the variance that one step of the discrete process keeps.
        of_batch: One step length for all, as published; otherwise every item has its own.

    Where a score is 0 there is no step.
    """
    found = lengths(noise), lengths(score)
    if of_batch:
        found = found[0].mean(0, keepdim=True), found[1].mean(0, keepdim=True)
    step = 2 * alpha * (snr * over(*found)) ** 2
    mean = x + step * direction
    return Moved(mean + torch.sqrt(2 * step) * projector(noise), mean)
