"""Masks of single places in a plane of two phase encodings."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from isocenter.ops._kernels_sampling import take_discs
from isocenter.ops._sampling_grid import Grid, at, distinct, share

__all__ = ["PLACES"]

GOLDEN_ANGLE = math.pi * (math.sqrt(5) - 1) / 2
"""Radians between one spoke and the next: any number of them covers the circle evenly."""
NEAR_CENTRE = 0.2
"""Poisson discs grow as the distance from the centre plus this, over half the grid."""
UNEVEN = 0.4
"""Each disc is larger or smaller by up to this share: with whole places between the centres of
discs, equal ones would make rings of equal density with steps between them."""
N_HALVINGS = 24
"""Of the interval that holds the size of the discs."""


def _gaussian_places(grid: Grid, rng: torch.Generator) -> Bool[Tensor, "y x"]:
    rows = (torch.arange(grid.n_rows, dtype=torch.float64) - grid.n_rows // 2) / grid.n_rows
    columns = grid.distance / grid.n_columns
    weights = torch.exp(-0.5 * (rows[:, None] ** 2 + columns**2) / (1.5 / 128))
    outer = (grid.acquired & ~grid.square).flatten().nonzero().flatten()
    chosen = distinct(weights.flatten()[outer], _n_outer_places(grid), rng)
    return at(grid.n_rows * grid.n_columns, outer[chosen]).view(grid.n_rows, -1)


def _n_outer_places(grid: Grid) -> int:
    return grid.n_places - int((grid.acquired & grid.square).sum())


def _poisson(grid: Grid, rng: torch.Generator) -> Bool[Tensor, "y x"]:
    """Discs of a size that leaves just more places than wanted; a few of these are let go."""
    outer = (grid.acquired & ~grid.square).flatten().nonzero().flatten()
    order = outer[torch.randperm(len(outer), generator=rng)]
    n_wanted = _n_outer_places(grid)
    found = _discs(order.numpy(), _disc_sizes(grid, rng), n_wanted).flatten().nonzero().flatten()
    kept = found[torch.randperm(len(found), generator=rng)[:n_wanted]]
    return at(grid.n_rows * grid.n_columns, kept).view(grid.n_rows, -1)


def _disc_sizes(grid: Grid, rng: torch.Generator) -> Float64[Tensor, "y x"]:
    """Radius of the disc around every place but for a common factor."""
    rows = (torch.arange(grid.n_rows, dtype=torch.float64) - grid.n_rows // 2) / grid.n_rows
    radius = NEAR_CENTRE + 2 * torch.hypot(rows[:, None], grid.distance / grid.n_columns)
    uneven = torch.rand(radius.shape, dtype=torch.float64, generator=rng)
    return radius * (1 + UNEVEN * (2 * uneven - 1))


def _discs(
    order: npt.NDArray[np.int64], radius: Float64[Tensor, "y x"], n_wanted: int
) -> Bool[Tensor, "y x"]:
    """The largest discs found, by halving, that still leave ``n_wanted`` places."""
    sizes = radius.numpy()
    taken, best = np.zeros(sizes.shape, np.bool_), np.ones(sizes.shape, np.bool_)
    # At the low end no disc holds a second place, at the high end each holds all of them.
    low, high = 1 / float(sizes.max()), 2 * max(sizes.shape) / float(sizes.min())
    take_discs(order, sizes, low, best)
    for _ in range(N_HALVINGS):
        scale = math.sqrt(low * high)
        if take_discs(order, sizes, scale, taken) >= n_wanted:
            low, best = scale, taken.copy()
        else:
            high = scale
    return torch.from_numpy(best)


def _radial(grid: Grid, rng: torch.Generator) -> Bool[Tensor, "y x"]:
    """As many spokes as bring the number of places nearest to the wanted one."""
    spokes = _spokes(grid, 2 * math.pi * share(rng))
    n_spokes = len(spokes)
    touched_by = torch.full((grid.n_rows * grid.n_columns,), n_spokes)
    which = torch.arange(n_spokes)[:, None].expand_as(spokes)
    touched_by.scatter_reduce_(0, spokes.flatten(), which.flatten(), "amin")
    touched_by = touched_by.view(grid.n_rows, -1)
    new = torch.bincount(touched_by[grid.acquired & ~grid.square], minlength=n_spokes + 1)
    counts = torch.cat([torch.zeros(1, dtype=torch.long), new[:n_spokes].cumsum(0)])
    return touched_by < (counts - _n_outer_places(grid)).abs().argmin()


def _spokes(grid: Grid, start: float) -> Tensor:
    """Flat indices (spoke, step) of lines through the centre, at the golden angle.

    There are enough of them to cover nearly all of the grid.
    """
    n_rows, n_columns = grid.n_rows, grid.n_columns
    angle = start + GOLDEN_ANGLE * torch.arange(2 * (n_rows + n_columns), dtype=torch.float64)
    reach = math.hypot(n_rows, n_columns) / 2
    along = torch.linspace(-reach, reach, 2 * math.ceil(reach) + 1, dtype=torch.float64)
    row = (n_rows // 2 + angle.sin()[:, None] * along).round().long()
    column = (n_columns // 2 + angle.cos()[:, None] * along).round().long()
    inside = (row >= 0) & (row < n_rows) & (column >= 0) & (column < n_columns)
    centre = n_rows // 2 * n_columns + n_columns // 2
    return torch.where(inside, row * n_columns + column, centre)


def _no_places(grid: Grid, rng: torch.Generator) -> Bool[Tensor, "y x"]:
    return torch.zeros(grid.n_rows, grid.n_columns, dtype=torch.bool)


PLACES: Mapping[str, Callable[[Grid, torch.Generator], Tensor]] = MappingProxyType(
    {
        "gaussian2d": _gaussian_places,
        "poisson": _poisson,
        "radial": _radial,
        "center": _no_places,
    }
)
