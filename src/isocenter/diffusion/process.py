"""Stochastic processes that turn an image into noise, over a projector ``P``.

Every one is linear, ``dx = f(t) P x dt + g(t) P dw``, so that what it makes of a clean image is
known in closed form: ``x(t) = x0 + (a(t) - 1) P x0 + s(t) P z``, where ``z`` is complex with
standard deviation 1 in real and imaginary part, and ``t`` runs from 0 to 1.  Song et al.,
arXiv:2011.13456, equations 29-33; over a projector: HFS-SDE, arXiv:2208.05481.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import final

from jaxtyping import Complex
from torch import Tensor

from isocenter.diffusion.denoiser import Denoiser
from isocenter.diffusion.projector import Projector, Whole

__all__ = ["Process", "SubVariancePreserving", "VarianceExploding", "VariancePreserving"]

Images = Complex[Tensor, "b y x"]


@dataclass(frozen=True, eq=False)
class Process(ABC):
    """Abstract: scale, deviation, drift and diffusion at a time; all else follows."""

    projector: Projector = field(default_factory=Whole)

    @abstractmethod
    def scale(self, t: float) -> float:
        """``a(t)``: what is left of the diffused part of the clean image."""

    @abstractmethod
    def deviation(self, t: float) -> float:
        """``s(t)``: standard deviation of the noise in it."""

    @abstractmethod
    def rate(self, t: float) -> float:
        """``f(t)`` of the drift ``f(t) P x``."""

    @abstractmethod
    def diffusion(self, t: float) -> float:
        """``g(t)``: noise per square root of time."""

    @final
    def sigma(self, t: float) -> float:
        """Noise over what is left of the image: the level that a denoiser is told."""
        return self.deviation(t) / self.scale(t)

    @final
    def drift(self, x: Images, t: float) -> Images:
        """``f(t) P x``."""
        return self.rate(t) * self.projector(x)

    @final
    def mean(self, clean: Images, t: float) -> Images:
        """Expected image at ``t``: the kept part as it is, the diffused part scaled."""
        return clean + (self.scale(t) - 1) * self.projector(clean)

    @final
    def noised(self, clean: Images, t: float, noise: Images) -> Images:
        """An image at ``t``, given white noise."""
        return self.mean(clean, t) + self.deviation(t) * self.projector(noise)

    @final
    def transition(self, earlier: float, later: float) -> tuple[float, float]:
        """From ``earlier`` to ``later``: factor of ``P x``, and deviation of the added noise."""
        factor = self.scale(later) / self.scale(earlier)
        variance = self.deviation(later) ** 2 - (factor * self.deviation(earlier)) ** 2
        return factor, math.sqrt(max(variance, 0.0))

    @final
    def unscaled(self, x: Images, t: float) -> Images:
        """The same with a diffused part of full scale: clean image plus ``sigma(t) P z``."""
        return x + (1 / self.scale(t) - 1) * self.projector(x)

    @final
    def clean(self, denoiser: Denoiser, x: Images, t: float) -> Images:
        """Expected clean image; the kept part is that of ``x``, whatever the denoiser says."""
        noisy = self.unscaled(x, t)
        denoised = denoiser(noisy, noisy.real.new_full((len(x),), self.sigma(t)))
        return noisy + self.projector(denoised - noisy)

    @final
    def score(self, x: Images, clean: Images, t: float) -> Images:
        """Gradient of the log density at ``x``, given the expected clean image (Tweedie)."""
        return self.projector(self.mean(clean, t) - x) / self.deviation(t) ** 2


@final
@dataclass(frozen=True, eq=False)
class VarianceExploding(Process):
    """The image keeps its scale, the noise grows from ``smallest`` to ``largest``."""

    smallest: float = 0.01
    largest: float = 348.0

    def scale(self, t: float) -> float:
        return 1.0

    def deviation(self, t: float) -> float:
        return self.smallest * math.exp(t * math.log(self.largest / self.smallest))

    def rate(self, t: float) -> float:
        return 0.0

    def diffusion(self, t: float) -> float:
        return self.deviation(t) * math.sqrt(2 * math.log(self.largest / self.smallest))


@dataclass(frozen=True, eq=False)
class _Fading(Process):
    """Abstract: the image fades at a rate that grows linearly."""

    slowest: float = 0.1
    fastest: float = 20.0

    @final
    def scale(self, t: float) -> float:
        return math.exp(_log_scale(t, self.slowest, self.fastest))

    @final
    def rate(self, t: float) -> float:
        return -beta(t, self.slowest, self.fastest) / 2


@final
@dataclass(frozen=True, eq=False)
class VariancePreserving(_Fading):
    """The image fades as the noise grows; with high frequencies alone, this is HFS-SDE."""

    def deviation(self, t: float) -> float:
        return math.sqrt(-math.expm1(2 * _log_scale(t, self.slowest, self.fastest)))

    def diffusion(self, t: float) -> float:
        return math.sqrt(beta(t, self.slowest, self.fastest))


@final
@dataclass(frozen=True, eq=False)
class SubVariancePreserving(_Fading):
    """As variance preserving, with less noise at every time."""

    def deviation(self, t: float) -> float:
        return -math.expm1(2 * _log_scale(t, self.slowest, self.fastest))

    def diffusion(self, t: float) -> float:
        lost = -math.expm1(4 * _log_scale(t, self.slowest, self.fastest))
        return math.sqrt(beta(t, self.slowest, self.fastest) * lost)


def beta(t: float, slowest: float, fastest: float) -> float:
    """Rate at time ``t`` of a process whose rate grows linearly."""
    return slowest + t * (fastest - slowest)


def _log_scale(t: float, slowest: float, fastest: float) -> float:
    return -(t**2) * (fastest - slowest) / 4 - t * slowest / 2
