"""``Restored``: what a restorer of k-space hands back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jaxtyping import Float32
from torch import Tensor

from isocenter.data.shapes import Slices3
from isocenter.data.step import JSON

__all__ = ["Progress", "Restored"]

Progress = Callable[[int, int], None]
"""Told how many slices are done, of how many."""


@dataclass(frozen=True, eq=False)
class Restored:
    """An image of every slice, on the grid of k-space and in its units."""

    image: Slices3
    """complex64 (slice, y, x); coil-combined."""
    deviation: Float32[Tensor, "slice y x"] | None = None
    """Standard deviation of the magnitude, where the method knows one."""
    facts: Mapping[str, JSON] = field(default_factory=dict)
    """What it did, as plain values: iterations, evaluations of a network, weights, scale."""
