"""Which places were measured: found in the data, or given and made to fit."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from isocenter.errors import BadKSpace, UsageError

__all__ = [
    "Crop",
    "as_crop",
    "cropped",
    "fitted",
    "measured_places",
    "refuse_nonsense",
    "smaller_grid",
    "truth",
]

Places = npt.NDArray[np.bool_]
Data = npt.NDArray[np.complex64]
Crop = Literal["centre"]

STRAY = 1e-3
"""Share of a slice's places below which zeros are chance and no gaps."""
NAMED = 6


def measured_places(data: Data) -> Places:
    """(slice or 1, y, x): true where any coil holds something other than exactly 0.

    Args:
        data: (slice, coil, y, x), not all zero.
    """
    places = np.stack([(one != 0).any(0) for one in data])
    few = (~places).mean((1, 2)) < STRAY
    places[few] = True
    empty = ~places.any((1, 2))  # a slice without signal does not say what was measured
    places[empty] = places[~empty].any(0)
    return places[:1] if (places == places[:1]).all() else places


def refuse_nonsense(data: Data) -> tuple[Places, list[str]]:
    """Which coils hold anything, and what to say of the others.

    Args:
        data: (slice, coil, y, x).

    Raises:
        BadKSpace: Axes in another order, values that are not finite, or nothing but zeros.
    """
    _, n_coils, rows, columns = data.shape
    if min(data.shape) == 0:
        raise BadKSpace(f"k-space is empty: its shape is {data.shape}")
    if n_coils > min(rows, columns):
        raise BadKSpace(
            f"{n_coils} coils of {rows} x {columns}: the axes seem to be in another order; they "
            "must be (slice, coil, y, x), or named as in axes='yxc'"
        )
    sums = np.stack([np.abs(one).sum((1, 2)) for one in data])
    if not np.isfinite(sums).all():
        raise BadKSpace(_not_finite(data))
    alive: Places = np.asarray(sums.any(0))
    if not alive.any():
        raise BadKSpace("k-space is zero everywhere: nothing was measured")
    dead = _named(np.flatnonzero(~alive))
    return alive, [] if alive.all() else [f"coils without signal were dropped: {dead}"]


def fitted(given: Any, grid: tuple[int, int], n_slices: int, run: slice, crop: bool) -> Places:
    """A given mask as (slice or 1, y, x), which k-space can be cut to.

    Args:
        given: One to three axes, true or 1 where measured; columns last.
        grid: Rows and columns of k-space.
        n_slices: Of the whole file; a mask of as many slices is cut to the ``run``.
        run: The wanted slices.
        crop: Whether another size may be cut around the centre, on whichever side is larger.

    Raises:
        BadKSpace: Values other than 0 and 1, or another size.
    """
    places = truth(given)
    if places.ndim == 3 and len(places) not in (1, run.stop - run.start):
        if len(places) != n_slices:
            raise BadKSpace(f"mask has {len(places)} slices, k-space has {n_slices}")
        places = places[run]
    if places.ndim == 1:
        places = np.broadcast_to(places, (grid[0], len(places)))
    places = places.reshape(-1, *places.shape[-2:])
    for what, got, wanted in zip(("rows", "columns"), places.shape[1:], grid, strict=True):
        if got != wanted and not crop:
            raise BadKSpace(
                f"mask has {got} {what}, k-space has {wanted}. Pass --mask or --crop centre."
            )
    cut: Places = cropped(places, smaller_grid(places.shape[1:], grid))
    return cut


def truth(given: Any) -> Places:
    """A mask of one to three axes, true where it holds 1; one row or one column becomes (x,).

    Raises:
        BadKSpace: Other axes, values other than 0 and 1, or nothing measured.
    """
    mask = np.asarray(given)
    if mask.dtype.kind not in "biufc" or not 1 <= mask.ndim <= 3 or mask.size == 0:
        raise BadKSpace(f"a mask has 1 to 3 axes of 0 and 1: got {mask.dtype} {mask.shape}")
    if mask.ndim == 2 and 1 in mask.shape:
        mask = mask.reshape(-1)
    places: Places = mask != 0
    if not (mask[places] == 1).all():
        raise BadKSpace("the mask holds other values than 0 and 1: give one where 1 is measured")
    if not places.any():
        raise BadKSpace("the mask measures nothing: give one that is true somewhere")
    return places


def smaller_grid(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns that both have."""
    return min(one[0], other[0]), min(one[1], other[1])


def cropped(array: Any, grid: tuple[int, int]) -> Any:
    """The part around the centre, ``n // 2``, of the last two axes."""
    for axis, side in ((-2, grid[0]), (-1, grid[1])):
        start = array.shape[axis] // 2 - side // 2
        array = array[(..., slice(start, start + side), *[slice(None)] * (-1 - axis))]
    return array


def as_crop(crop: str | None) -> bool:
    """Whether a size may be cut.

    Raises:
        UsageError: Any other word than ``"centre"``.
    """
    if crop is not None and crop not in get_args(Crop):
        raise UsageError(f"crop is {crop!r}: only 'centre' is known")
    return crop is not None


def _not_finite(data: Data) -> str:
    bad: Places = np.asarray(~np.isfinite(data).all(1))
    slices, _, columns = (np.unique(places) for places in bad.nonzero())
    return (
        f"k-space is not finite in slices {_named(slices)}, columns {_named(columns)} "
        f"({int(bad.sum()):,} places are NaN or Inf): export it again"
    )


def _named(numbers: npt.NDArray[np.intp]) -> str:
    shown = ", ".join(map(str, numbers[:NAMED]))
    return shown if len(numbers) <= NAMED else f"{shown} and {len(numbers) - NAMED} more"
