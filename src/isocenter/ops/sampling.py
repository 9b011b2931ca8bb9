"""Which places of k-space to measure: masks of a known, true acceleration.

A kind of lines picks columns, the last axis, which is the phase encoding: its rows are alike.
A kind of places picks points of a plane of two phase encodings.
"""

import torch
from jaxtyping import Bool
from torch import Tensor

from isocenter.errors import UnknownName, UsageError
from isocenter.ops._sampling_grid import Grid, checked
from isocenter.ops._sampling_lines import LINES
from isocenter.ops._sampling_places import PLACES

__all__ = ["LINE_KINDS", "MASK_KINDS", "sampling_mask"]

KEEP_THE_RATE = frozenset(
    {
        "uniform",
        "random",
        "gaussian1d",
        "cartesian",
        "fastmri_random",
        "fastmri_equispaced_fraction",
        "magic_fraction",
        "gaussian2d",
        "poisson",
        "radial",
    }
)
LINE_KINDS = tuple(LINES)
"""Masks that pick columns: identical rows."""
MASK_KINDS = (*LINES, *PLACES)
"""Every kind of :func:`sampling_mask`."""


def sampling_mask(
    kind: str,
    shape: tuple[int, int],
    *,
    acceleration: float,
    acs: int,
    rng: torch.Generator,
    acquired: tuple[int, int] | None = None,
) -> Bool[Tensor, "y x"]:
    """Places of k-space to measure; with an ACS the centre, ``n // 2``, is among them.

    ====================================  =====================================================
    kind                                  what is measured beside the ACS
    ====================================  =====================================================
    ``full``                              everything; ``acceleration`` and ``acs`` do not matter
    ``uniform``                           evenly spread columns, round(n / R) with the ACS
    ``random``                            random columns, round(n / R) with the ACS
    ``gaussian1d``                        as many, normally distributed, deviation 15 n / 128
    ``cartesian``                         as many, density of kt-FOCUSS (Jung et al., 2009,
                                          doi:10.1002/mrm.21757) with a constant
    ``low_frequency``                     nothing; ``acceleration`` does not matter
    ``seed_uniform``                      every R-th of the other columns: K + ceil((n - K) / R)
    ``fastmri_random``                    each column with the chance that makes n / R on average
    ``fastmri_equispaced``                every R-th of all columns, from a random one on
    ``fastmri_equispaced_fraction``       the same, so much sparser that n / R is hit
    ``magic``                             every R-th on either side; mirrored about the centre,
                                          those of one side fall between those of the other
                                          (Defazio, 2019, arXiv:1912.01101)
    ``magic_fraction``                    the same, so much sparser that n / R is hit
    ``gaussian2d``                        normally distributed places, variance 1.5 n^2 / 128
    ``poisson``                           Poisson disc, denser towards the centre
    ``radial``                            the places nearest to spokes at the golden angle
    ``center``                            nothing but the square; ``acceleration`` does not matter
    ====================================  =====================================================

    fastMRI's kinds: Zbontar et al., arXiv:1811.08839; its centre fraction times n is ``acs``.
    The first twelve pick columns; to the last four the ACS is a square.  ``uniform``, ``random``,
    ``gaussian1d``, ``cartesian``, ``gaussian2d`` and ``poisson`` keep the acceleration to the
    nearest whole column or place, ``radial`` to the nearest spoke, the fractions to a few
    columns, ``fastmri_random`` on average; the others measure more, as published.

    Args:
        kind: One of :data:`MASK_KINDS`.
        shape: Rows (readout) and columns (phase encoding), each at least 1.
        acceleration: Acquired places over measured ones, at least 1.
        acs: Columns (or side of the square) measured around the centre, ``n // 2 - acs // 2``
            the first.
        rng: Source of every draw.
        acquired: First column that the scanner acquired and the one after the last, as
            fastMRI's ``padding_left`` and ``padding_right``; the others are never measured and
            do not count.  All where not given.

    Raises:
        UnknownName: No such kind.
        UsageError: Numbers that do not fit each other.
    """
    if kind not in MASK_KINDS:
        raise UnknownName("mask", kind, MASK_KINDS)
    grid = checked(shape, acceleration, 0 if kind == "full" else acs, acquired)
    if kind in KEEP_THE_RATE:
        _check_room(kind, grid)
    if kind in LINES:
        columns = grid.acquired & (grid.centre | LINES[kind](grid, rng))
        mask = columns.expand(grid.n_rows, -1).clone()
    else:
        mask = grid.acquired & (grid.square | PLACES[kind](grid, rng))
    if not bool(mask.any()):
        raise UsageError(f"this {kind} mask measures nothing: give an ACS of at least 1")
    return mask


def _check_room(kind: str, grid: Grid) -> None:
    """The kinds that keep the acceleration need an ACS that leaves it possible."""
    if kind in LINES:
        wanted, within, what = int((grid.centre & grid.acquired).sum()), grid.n_lines, "columns"
    else:
        wanted, within, what = int((grid.square & grid.acquired).sum()), grid.n_places, "places"
    if within < max(1, wanted):
        raise UsageError(
            f"an acceleration of {grid.acceleration:g} leaves {within} {what} to measure and the "
            f"ACS alone has {wanted}: give a lower acceleration or a narrower ACS"
        )
