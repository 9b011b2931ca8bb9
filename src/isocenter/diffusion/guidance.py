"""Guidance: how a sampler is drawn to the measured data.

The data enter as ``A^H A`` and ``A^H y`` alone, so nothing here knows coils or masks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from isocenter.diffusion._lengths import lengths, over
from isocenter.ops.solvers import conjugate_gradient

__all__ = ["Consistency", "Data", "noise_aware", "noise_free", "norm_matched", "proximal"]

Images = Complex[Tensor, "b y x"]
Level = Float[Tensor, " b"]
Weight = Callable[[Level], Level]


@dataclass(frozen=True, eq=False)
class Data:
    """What was measured, seen from the image."""

    normal: Callable[[Images], Images]
    """``A^H A``, for every item of the batch alone."""
    back_projected: Images
    """``A^H y``."""

    def gradient(self, x: Images) -> Images:
        """``A^H (A x - y)``: of half the squared residual."""
        return self.normal(x) - self.back_projected


def norm_matched(
    gradient: Images, score: Images, weight: float, *, of_batch: bool = False, guarded: bool = True
) -> Images:
    """The data's gradient at ``weight`` times the length of the score.

    As published with HFS-SDE (arXiv:2208.05481, section III-D; from Jalal et al.,
    arXiv:2108.01368): to be subtracted from the score.

    Args:
        gradient: ``A^H (A x - y)``.
        score: Of the same images.
        weight: ``lambda``.
        of_batch: Lengths over the whole batch, as published; otherwise of every item.
        guarded: Where the data are met exactly there is nothing to add; as published: NaN.
    """
    of_score, of_gradient = (
        length.square().sum(0, keepdim=True).sqrt() if of_batch else length
        for length in (lengths(score), lengths(gradient))
    )
    ratio = over(of_score, of_gradient) if guarded else of_score / of_gradient
    return weight * ratio * gradient


@dataclass(frozen=True, eq=False)
class Consistency:
    """Brings clean estimates into agreement with data by conjugate gradients.

    Solves ``(A^H A + lambda) x = A^H y + lambda D`` from ``D``, as DDS does (Chung et al.,
    arXiv:2303.05754, equation 22), with a ``lambda`` for every noise level and item.
    """

    data: Data
    weight: Weight
    """``lambda`` at a noise level."""
    n_iterations: int = 5

    def __call__(self, clean: Images, sigma: Level) -> Images:
        """Args: ``clean``: ``D``, denoised from noise of level ``sigma``."""
        weight = self.weight(sigma).to(clean.real.dtype)[:, None, None]
        return conjugate_gradient(
            lambda x: self.data.normal(x) + weight * x,
            self.data.back_projected + weight * clean,
            clean,
            n_iterations=self.n_iterations,
        )


def noise_aware(data_sigma: Level, ratio: float = 0.25) -> Weight:
    """``ratio * data_sigma^2 / sigma^2``: data count as much as their noise lets them.

    Args:
        data_sigma: Noise of the measured data, of the real and of the imaginary part.
        ratio: 1 if the error of a denoised image were as large as the noise taken from it;
            it is below 1 because that error is not white.
    """
    return lambda sigma: ratio * (data_sigma / sigma) ** 2


def noise_free() -> Weight:
    """0 at every level: a few steps from the estimate towards the data, as DDS without noise."""
    return torch.zeros_like


def proximal(strength: float) -> Weight:
    """``1 / strength`` at every level: the proximal point of ``strength / 2 |A x - y|^2``."""
    return lambda sigma: torch.full_like(sigma, 1 / strength)
