"""Small draws, all from the generator that is given."""

from collections.abc import Sequence
from typing import TypeVar

import torch

from isocenter.data.volume import Volume
from isocenter.errors import BadVolume

__all__ = ["choice", "integer", "uniform", "uniforms", "usable_axes"]

Item = TypeVar("Item")


def uniform(rng: torch.Generator, low: float, high: float) -> float:
    """One number from [low, high)."""
    share = torch.rand(1, dtype=torch.float64, generator=rng, device=rng.device).item()
    return low + (high - low) * share


def uniforms(rng: torch.Generator, n: int, low: float, high: float) -> list[float]:
    """``n`` numbers from [low, high)."""
    return [uniform(rng, low, high) for _ in range(n)]


def integer(rng: torch.Generator, low: int, high: int) -> int:
    """One whole number from ``low`` to ``high``, both included."""
    return int(torch.randint(low, high + 1, (1,), generator=rng, device=rng.device).item())


def choice(rng: torch.Generator, items: Sequence[Item]) -> Item:
    """One of ``items``."""
    return items[integer(rng, 0, len(items) - 1)]


def usable_axes(volume: Volume) -> list[int]:
    """Axes with more than one voxel.

    Raises:
        BadVolume: There is none.
    """
    axes = [axis for axis, side in enumerate(volume.shape) if side > 1]
    if not axes:
        raise BadVolume("a single voxel can hold no artifact: give an image")
    return axes
