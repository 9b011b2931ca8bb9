"""Projectors: which part of an image is diffused.

``P = F^H (I - M) F`` with a mask ``M`` of kept places of k-space (HFS-SDE, arXiv:2208.05481,
section III): noise and its removal happen in the range of ``P``, the rest stays as measured.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

__all__ = ["HighFrequencies", "Projector", "Whole", "low_columns", "low_square"]

PLANE = (-2, -1)


class Projector(ABC):
    """Abstract: ``P(x)`` with ``P P = P = P^H``."""

    @abstractmethod
    def __call__(self, image: Complex[Tensor, "*b y x"]) -> Complex[Tensor, "*b y x"]:
        """The part of ``image`` that is diffused."""

    @final
    def rest(self, image: Complex[Tensor, "*b y x"]) -> Complex[Tensor, "*b y x"]:
        """``x - P x``: the part that is kept."""
        return image - self(image)


@final
@dataclass(frozen=True)
class Whole(Projector):
    """The identity: all of the image is diffused."""

    def __call__(self, image: Complex[Tensor, "*b y x"]) -> Complex[Tensor, "*b y x"]:
        return image


@final
@dataclass(frozen=True, eq=False)
class HighFrequencies(Projector):
    """All of k-space but the kept places."""

    kept: Bool[Tensor, "y x"]
    """True where k-space (centred) is kept as it is."""

    def __call__(self, image: Complex[Tensor, "*b y x"]) -> Complex[Tensor, "*b y x"]:
        axes, diffused = self._filter
        diffused = diffused.to(image.device)
        filtered: Tensor = torch.fft.ifftn(torch.fft.fftn(image, dim=axes) * diffused, dim=axes)
        return filtered

    @cached_property
    def _filter(self) -> tuple[tuple[int, ...], Float[Tensor, "_ x"]]:
        """Axes to transform, and the weights on them; without a shift, since a filter needs none.

        Where all rows keep the same columns, the transform along them would cancel.
        """
        weights = torch.fft.ifftshift((~self.kept).float())
        if bool((self.kept == self.kept[:1]).all()):
            return (-1,), weights[:1]
        return PLANE, weights


def low_columns(shape: tuple[int, int], width: int) -> HighFrequencies:
    """Keeps ``width`` phase-encode lines around the centre, in every row."""
    kept = torch.zeros(shape, dtype=torch.bool)
    kept[:, _centred(shape[1], width)] = True
    return HighFrequencies(kept)


def low_square(shape: tuple[int, int], width: int) -> HighFrequencies:
    """Keeps a block of ``width`` x ``width`` places around the centre."""
    kept = torch.zeros(shape, dtype=torch.bool)
    kept[_centred(shape[0], width), _centred(shape[1], width)] = True
    return HighFrequencies(kept)


def _centred(n: int, width: int) -> slice:
    first = n // 2 - width // 2
    return slice(max(first, 0), first + width)
