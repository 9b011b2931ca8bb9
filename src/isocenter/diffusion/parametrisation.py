"""From a network that was trained in one of the usual ways to a ``Denoiser``.

A network sees the noisy image as its process makes it, and a number that stands for the noise
level; it says the clean image, the noise, or the score.  What these have in common is the
expected clean image: Song et al., arXiv:2011.13456, equations 7 and 29; Karras et al.,
arXiv:2206.00364, table 1.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self, get_args

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from isocenter.diffusion.projector import Projector, Whole
from isocenter.errors import BadCheckpoint

__all__ = ["NetworkDenoiser", "Parametrisation", "Said", "Scaled"]

Scaled = Literal["exploding", "preserving"]
Said = Literal["clean", "noise", "score"]
Network = Callable[[Float[Tensor, "b 2 y x"], Float[Tensor, " b"]], Float[Tensor, "b 2 y x"]]
"""From parts of noisy images and their levels to parts of what it says."""


@dataclass(frozen=True)
class Parametrisation:
    """How a network was trained."""

    scaled: Scaled = "exploding"
    """Whether the diffused part of the image keeps its scale, or fades as the noise grows."""
    said: Said = "clean"
    """What the network says.  ``score``: that of the image as the network sees it."""
    logarithm: bool = True
    """Whether the noise's standard deviation is told by its natural logarithm."""
    high_frequencies: bool = False
    """Whether the noise spares the middle of k-space, the rest of the image being as it is."""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """As it stands in a checkpoint's outputs.

        Raises:
            BadCheckpoint: Words that this version does not know.
        """
        known = {"scaled": get_args(Scaled), "said": get_args(Said)}
        strange = [name for name, words in known.items() if values.get(name) not in words]
        if strange or set(values) != {field.name for field in fields(cls)}:
            raise BadCheckpoint(
                f"the prior is trained as {dict(values)}, which this version does not know: load "
                "it with the version that wrote it"
            )
        return cls(**values)


@dataclass(frozen=True, eq=False)
class NetworkDenoiser:
    """A :class:`~isocenter.diffusion.denoiser.Denoiser` over a network of any parametrisation."""

    network: Network
    parametrisation: Parametrisation
    projector: Projector = field(default_factory=Whole)
    """Of the part in which there is noise."""

    def __call__(
        self, noisy: Complex[Tensor, "b y x"], sigma: Float[Tensor, " b"]
    ) -> Complex[Tensor, "b y x"]:
        """Expected clean image."""
        seen, deviation = self._seen(noisy, sigma)
        level = deviation.log() if self.parametrisation.logarithm else deviation
        said = _complex(self.network(_parts(seen), level))
        if self.parametrisation.said == "clean":
            return said
        noise = said if self.parametrisation.said == "noise" else -_each(deviation) * said
        return noisy - _each(sigma) * self.projector(noise)

    def _seen(self, noisy: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """The noisy image as the network saw it in training, and its noise's deviation."""
        if self.parametrisation.scaled == "exploding":
            return noisy, sigma
        scale = (1 + sigma.square()).rsqrt()
        return noisy + _each(scale - 1) * self.projector(noisy), sigma * scale


def _each(values: Float[Tensor, " b"]) -> Float[Tensor, "b one one"]:
    return values[:, None, None]


def _parts(images: Complex[Tensor, "b y x"]) -> Float[Tensor, "b 2 y x"]:
    return torch.view_as_real(images).movedim(-1, 1)


def _complex(parts: Float[Tensor, "b 2 y x"]) -> Complex[Tensor, "b y x"]:
    return torch.view_as_complex(parts.movedim(1, -1).contiguous())
