"""What masks of every kind share: the grid that was asked for, and small choices on it."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from isocenter.errors import UsageError

__all__ = ["Grid", "at", "checked", "distinct", "run", "share"]


@dataclass(frozen=True)
class Grid:
    """What was asked for, checked."""

    n_rows: int
    n_columns: int
    first: int
    """First acquired column."""
    stop: int
    """The one after the last acquired column."""
    acceleration: float
    acs: int

    @property
    def n_acquired(self) -> int:
        return self.stop - self.first

    @property
    def n_lines(self) -> int:
        """Columns that make the true acceleration nearest to the asked one."""
        return round(self.n_acquired / self.acceleration)

    @property
    def n_places(self) -> int:
        return round(self.n_rows * self.n_acquired / self.acceleration)

    @property
    def distance(self) -> Float64[Tensor, " x"]:
        """Of every column from the centre, in columns."""
        return torch.arange(self.n_columns, dtype=torch.float64) - self.n_columns // 2

    @property
    def acquired(self) -> Bool[Tensor, " x"]:
        columns = torch.zeros(self.n_columns, dtype=torch.bool)
        columns[self.first : self.stop] = True
        return columns

    @property
    def centre(self) -> Bool[Tensor, " x"]:
        """The ACS columns."""
        return run(self.n_columns, self.acs)

    @property
    def square(self) -> Bool[Tensor, "y x"]:
        """The ACS block."""
        return run(self.n_rows, min(self.acs, self.n_rows))[:, None] & self.centre


def checked(
    shape: tuple[int, int], acceleration: float, acs: int, acquired: tuple[int, int] | None
) -> Grid:
    n_rows, n_columns = shape
    if min(shape) < 1:
        raise UsageError(f"k-space of {n_rows} x {n_columns} has no place: give both sides")
    if not (math.isfinite(acceleration) and acceleration >= 1):
        raise UsageError(
            f"acceleration is all places over the measured ones, at least 1; got {acceleration:g}"
        )
    if not 0 <= acs <= n_columns:
        raise UsageError(
            f"{acs} ACS columns do not fit into {n_columns}: give a number from 0 to {n_columns}"
        )
    first, stop = acquired or (0, n_columns)
    if not 0 <= first <= n_columns // 2 < stop <= n_columns:
        raise UsageError(
            f"columns {first} to {stop} cannot have been acquired of {n_columns}: give the first "
            f"and the one after the last, with column {n_columns // 2}, the centre, between them"
        )
    return Grid(n_rows, n_columns, first, stop, float(acceleration), acs)


def run(n: int, width: int) -> Bool[Tensor, " n"]:
    """``width`` true values around ``n // 2``."""
    run = torch.zeros(n, dtype=torch.bool)
    run[n // 2 - width // 2 :][:width] = True
    return run


def at(n: int, indices: Tensor) -> Bool[Tensor, " n"]:
    """True at those indices that lie on the axis."""
    chosen = torch.zeros(n, dtype=torch.bool)
    chosen[indices[(indices >= 0) & (indices < n)]] = True
    return chosen


def share(rng: torch.Generator) -> float:
    return float(torch.rand(1, dtype=torch.float64, generator=rng))


def distinct(weights: Tensor, n_wanted: int, rng: torch.Generator) -> Tensor:
    """Indices of distinct draws in proportion to the weights."""
    if n_wanted == 0:
        return torch.zeros(0, dtype=torch.long)
    return torch.multinomial(weights, n_wanted, replacement=False, generator=rng)
