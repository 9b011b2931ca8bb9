"""Undersampled k-space beside the image that all of it would show: what unrolled networks learn.

Slices come from any :class:`FullSlices`: simulated from magnitude scans, or measured and in a
user's folder.  Mask, acceleration and calibration lines are drawn here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Bool, Complex64, Float32
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from isocenter.data.kspace import KSpace
from isocenter.data.random import child, generator
from isocenter.errors import UsageError
from isocenter.ops.coils import root_sum_of_squares
from isocenter.ops.fourier import ifft
from isocenter.restorers import undersample
from isocenter.restorers._calibrated import calibrated
from isocenter.restorers._supervised import brightness

__all__ = [
    "Example",
    "FullSlice",
    "FullSlices",
    "KSpaceExamples",
    "Sampling",
    "collate",
    "log_uniform",
]

PLANE = (-2, -1)
WIDEST_CENTRE = 0.6
"""Of the columns that an acceleration leaves, so many at most are calibration lines."""

LEAST_CENTRE = 6
"""Calibration lines in which coil maps can be found."""


class FullSlice(NamedTuple):
    """One slice, of which everything was measured."""

    kspace: KSpace
    truth: Float32[Tensor, "y x"] | None = None
    """Magnitude without noise, in the units of k-space; ``None``: nobody knows it."""


class FullSlices(Protocol):
    """Where slices come from."""

    def draw(self, rng: torch.Generator) -> FullSlice:
        """Some slice of somebody."""

    def of_person(self, person: str, number: int) -> FullSlice:
        """A slice of one person, the same whenever it is asked for."""


@dataclass(frozen=True)
class Sampling:
    """How a mask is drawn."""

    kinds: tuple[str, ...] = ("uniform", "random", "gaussian1d", "fastmri_equispaced_fraction")
    """Names of :data:`isocenter.ops.sampling.MASK_KINDS`, each as likely as the others."""
    accelerations: tuple[float, float] = (3.0, 8.0)
    """Least and most."""
    acs: tuple[int, int] = (12, 32)
    """Fewest and most calibration lines; fewer where the acceleration leaves no room."""

    def __call__(self, full: KSpace, *, rng: torch.Generator) -> KSpace:
        """A part of ``full``.

        Raises:
            UnknownName: No such kind of mask.
            UsageError: ``full`` is undersampled.
        """
        kind = self.kinds[int(torch.randint(len(self.kinds), (), generator=rng))]
        acceleration = log_uniform(self.accelerations, rng)
        fewest, most = self.acs
        acs = fewest + int(torch.randint(most - fewest + 1, (), generator=rng))
        room = int(WIDEST_CENTRE * full.grid[1] / acceleration)
        drawn: KSpace = undersample(
            full, kind, acceleration=acceleration, acs=max(LEAST_CENTRE, min(acs, room)), rng=rng
        )
        return drawn


class Example(NamedTuple):
    """One slice, or a batch of them with an axis in front; bright tissue is about 1."""

    kspace: Complex64[Tensor, "*b coil y x"]
    """0 where not measured."""
    places: Bool[Tensor, "*b y x"]
    """What was measured."""
    target: Float32[Tensor, "*b y x"]
    """Magnitude."""
    maps: Complex64[Tensor, "*b coil y x"] | None
    """Coil sensitivities, for a network that is given them."""


class KSpaceExamples(Dataset[Example]):
    """``length`` examples, each by (seed, index) alone.

    Args:
        slices: Where full k-space comes from.
        sampling: How masks are drawn.
        with_maps: Whether the network is given coil maps: those that k-space brings, else those
            that are found in the calibration lines.
        length: Number of examples.
        seed: Of all draws.
    """

    def __init__(
        self,
        slices: FullSlices,
        sampling: Sampling,
        *,
        with_maps: bool,
        length: int,
        seed: int,
    ) -> None:
        self.slices, self.sampling, self.with_maps = slices, sampling, with_maps
        self.length, self.seed = length, seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Example:
        rng = child(generator(self.seed), "k-space", index)
        return self.example(self.slices.draw(rng), rng=rng)

    def of_person(self, person: str, number: int) -> Example:
        """An example of one person, the same whenever it is asked for."""
        rng = child(generator(self.seed), "asked", person, number)
        return self.example(self.slices.of_person(person, number), rng=rng)

    def example(self, full: FullSlice, *, rng: torch.Generator) -> Example:
        """Undersample a slice and give it its scale, found in what was measured alone."""
        kspace = self.sampling(full.kspace, rng=rng)
        target = full.truth
        if target is None:
            target = root_sum_of_squares(ifft(full.kspace.data[0], PLANE))
        kspace = calibrated(kspace) if self.with_maps else replace(kspace, maps=None)
        scale = brightness(kspace)
        return Example(
            kspace.data[0] / scale,
            kspace.mask.places[0],
            target / scale,
            None if kspace.maps is None else kspace.maps[0, 0],
        )


def collate(examples: Sequence[Example]) -> Example:
    """A batch; to fewer coils, coils that saw nothing are added, which change nothing.

    Raises:
        UsageError: Slices of different sizes.
    """
    sizes = {tuple(example.places.shape) for example in examples}
    if len(sizes) > 1:
        shown = ", ".join(sorted(f"{rows} x {columns}" for rows, columns in sizes))
        raise UsageError(
            f"slices of a batch are {shown}: learn from one at a time with schedule.batch=1"
        )
    n_coils = max(len(example.kspace) for example in examples)
    maps = [example.maps for example in examples]
    return Example(
        torch.stack([_with_coils(example.kspace, n_coils) for example in examples]),
        torch.stack([example.places for example in examples]),
        torch.stack([example.target for example in examples]),
        None
        if any(one is None for one in maps)
        else torch.stack([_with_coils(one, n_coils) for one in maps if one is not None]),
    )


def log_uniform(limits: tuple[float, float], rng: torch.Generator) -> float:
    """A number between two positive ones, its logarithm uniform."""
    low, high = map(math.log, limits)
    return math.exp(low + (high - low) * float(torch.rand((), generator=rng)))


def _with_coils(values: Tensor, n_coils: int) -> Tensor:
    return F.pad(values, (0, 0, 0, 0, 0, n_coils - len(values)))
