"""``Denoiser``: all that a sampler knows of a prior."""

from typing import Protocol

from jaxtyping import Complex, Float
from torch import Tensor

__all__ = ["Denoiser"]


class Denoiser(Protocol):
    """The expected clean image, given a noisy one: ``E[x0 | x0 + sigma z]``.

    ``z`` is complex; its real and imaginary parts each have standard deviation 1, inside the
    subspace that is diffused.  Tweedie: the score of the noisy image is ``(D(x) - x) / sigma^2``.
    A variance-preserving process is the same after a division by its mean scale.
    """

    def __call__(
        self, noisy: Complex[Tensor, "b y x"], sigma: Float[Tensor, " b"]
    ) -> Complex[Tensor, "b y x"]:
        """Args: ``noisy`` in the units that the prior was trained in, ``sigma`` in the same."""
