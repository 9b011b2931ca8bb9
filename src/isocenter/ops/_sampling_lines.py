"""Masks of whole columns, the phase encodings of a stack of slices."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from jaxtyping import Bool
from torch import Tensor

from isocenter.ops._sampling_grid import Grid, at, distinct, share

__all__ = ["LINES"]


def _full(grid: Grid, rng: torch.Generator) -> Bool[Tensor, " x"]:
    return grid.acquired


def _no_lines(grid: Grid, rng: torch.Generator) -> Bool[Tensor, " x"]:
    return torch.zeros(grid.n_columns, dtype=torch.bool)


def _outer(grid: Grid) -> Tensor:
    """Indices of the acquired columns outside of the ACS."""
    return (grid.acquired & ~grid.centre).nonzero().flatten()


def _n_outer(grid: Grid) -> int:
    """How many of them to measure."""
    return grid.n_lines - int((grid.acquired & grid.centre).sum())


def _uniform(grid: Grid, rng: torch.Generator) -> Bool[Tensor, " x"]:
    outer, n_wanted = _outer(grid), _n_outer(grid)
    steps = torch.arange(n_wanted, dtype=torch.float64) + share(rng)
    return at(grid.n_columns, outer[(steps * len(outer) / max(1, n_wanted)).long()])


def _random(grid: Grid, rng: torch.Generator) -> Bool[Tensor, " x"]:
    outer = _outer(grid)
    return at(grid.n_columns, outer[torch.randperm(len(outer), generator=rng)[: _n_outer(grid)]])


def _gaussian_lines(grid: Grid, rng: torch.Generator) -> Bool[Tensor, " x"]:
    deviation = grid.n_columns * 15 / 128
    return _weighted_lines(grid, torch.exp(-0.5 * (grid.distance / deviation) ** 2), rng)


def _cartesian(grid: Grid, rng: torch.Generator) -> Bool[Tensor, " x"]:
    peak = torch.exp(-0.5 * (grid.distance / (grid.n_columns / 10)) ** 2)
    return _weighted_lines(grid, peak + 1 / (2 * grid.acceleration), rng)


def _weighted_lines(grid: Grid, weights: Tensor, rng: torch.Generator) -> Bool[Tensor, " x"]:
    """Distinct columns outside of the ACS, drawn in proportion to their weights."""
    outer = _outer(grid)
    return at(grid.n_columns, outer[distinct(weights[outer], _n_outer(grid), rng)])


def _seed_uniform(grid: Grid, rng: torch.Generator) -> Bool[Tensor, " x"]:
    outer = _outer(grid)
    every = torch.arange(0, len(outer), grid.acceleration, dtype=torch.float64).long()
    return at(grid.n_columns, outer[every])


def _fastmri_random(grid: Grid, rng: torch.Generator) -> Bool[Tensor, " x"]:
    n_inner = int((grid.acquired & grid.centre).sum())
    n_outer = max(1, grid.n_acquired - n_inner)
    chance = (grid.n_acquired / grid.acceleration - n_inner) / n_outer
    return torch.rand(grid.n_columns, dtype=torch.float64, generator=rng) < chance


def _equispaced(grid: Grid, rng: torch.Generator) -> Bool[Tensor, " x"]:
    return _every(grid, grid.acceleration, rng)


def _equispaced_fraction(grid: Grid, rng: torch.Generator) -> Bool[Tensor, " x"]:
    return _every(grid, _sparser(grid), rng)


def _every(grid: Grid, step: float, rng: torch.Generator) -> Bool[Tensor, " x"]:
    start = grid.first + math.floor(share(rng) * step)
    columns = torch.arange(start, grid.stop, step, dtype=torch.float64)
    return at(grid.n_columns, columns.floor().long())


def _sparser(grid: Grid) -> float:
    """The step outside of the ACS at which (n - K) / step + K = n / R."""
    n_inner = int((grid.acquired & grid.centre).sum())
    n_wanted = grid.n_acquired / grid.acceleration - n_inner
    # Where the ACS takes all, one step leads out of the grid.
    return (grid.n_acquired - n_inner) / n_wanted if n_wanted > 1e-9 else 2.0 * grid.n_columns


def _magic(grid: Grid, rng: torch.Generator) -> Bool[Tensor, " x"]:
    return _offset_sides(grid, grid.acceleration, rng)


def _magic_fraction(grid: Grid, rng: torch.Generator) -> Bool[Tensor, " x"]:
    return _offset_sides(grid, _sparser(grid), rng)


def _offset_sides(grid: Grid, step: float, rng: torch.Generator) -> Bool[Tensor, " x"]:
    """Every ``step`` on either side; the left side is half a step further from the centre."""
    start = math.floor(share(rng) * step)
    middle, far = grid.n_columns // 2, grid.n_columns
    right = torch.arange(start, far, step, dtype=torch.float64).floor().long()
    left = torch.arange((start + step / 2) % step, far, step, dtype=torch.float64).floor().long()
    # The centre itself belongs to the right side.
    return at(far, torch.cat([middle + right, middle - left[left > 0]]))


LINES: Mapping[str, Callable[[Grid, torch.Generator], Tensor]] = MappingProxyType(
    {
        "full": _full,
        "uniform": _uniform,
        "random": _random,
        "gaussian1d": _gaussian_lines,
        "cartesian": _cartesian,
        "low_frequency": _no_lines,
        "seed_uniform": _seed_uniform,
        "fastmri_random": _fastmri_random,
        "fastmri_equispaced": _equispaced,
        "fastmri_equispaced_fraction": _equispaced_fraction,
        "magic": _magic,
        "magic_fraction": _magic_fraction,
    }
)
