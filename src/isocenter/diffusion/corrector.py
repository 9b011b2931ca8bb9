"""Correctors: steps at one noise level."""

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from isocenter.diffusion.predictor import Moved
from isocenter.diffusion.projector import Projector

__all__ = ["langevin", "norms"]

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
        of_batch: One length for all, as published; otherwise every item has its own.
    """
    ratio = norms(noise, of_batch) / _positive(norms(score, of_batch))
    step = 2 * alpha * (snr * ratio) ** 2
    mean = x + step * direction
    return Moved(mean + torch.sqrt(2 * step) * projector(noise), mean)


def norms(images: Images, of_batch: bool = False) -> Float[Tensor, "b 1 1"]:
    """Length of every item, or for all the mean of the lengths."""
    lengths: Tensor = torch.linalg.vector_norm(images, dim=(-2, -1), keepdim=True)
    return lengths.mean().expand_as(lengths) if of_batch else lengths


def _positive(lengths: Tensor) -> Tensor:
    return lengths.clamp_min(torch.finfo(lengths.dtype).tiny)
