"""Arrays without a header: which axis is which."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from isocenter.data.io.kspace._acquired import Acquired, Request, as_complex
from isocenter.data.io.kspace._geometry import NO_ORIENTATION, NO_SIZE, unplaced
from isocenter.errors import BadKSpace, UsageError

__all__ = ["arranged"]

AXES = "ascyx"
"""Average, slice, coil, y (readout), x (phase encode): the order in which they are brought."""


def arranged(
    stored: Any, axes: str, request: Request, *, format: str, said: tuple[str, ...] = ()
) -> Acquired:
    """The wanted slices of an array whose axes are known by their letters.

    Args:
        stored: Any array, also one that is still on the disk.
        axes: One letter of ``ascyx`` for each axis; several averages become their mean.
        request: ``axes`` there overrides what is assumed here.
        format: For the history.
        said: What was assumed, unless the request says it.

    Raises:
        UsageError: The letters do not fit the array.
        BadKSpace: Real, empty, or above the budget.
    """
    notes = (NO_ORIENTATION, NO_SIZE) if request.axes else (*said, NO_ORIENTATION, NO_SIZE)
    axes = request.axes or axes
    _check(axes, stored.shape)
    if prod(stored.shape) == 0:
        raise BadKSpace(f"k-space is empty: its shape is {stored.shape}")
    order = [axes.index(letter) for letter in AXES if letter in axes]
    missing = tuple(place for place, letter in enumerate(AXES) if letter not in axes)
    view = np.expand_dims(np.transpose(stored, order), missing)
    _, n_slices, n_coils, rows, columns = view.shape
    first, behind = request.run(n_slices)
    request.demand(len(view), behind - first, n_coils, rows, columns)
    wanted = as_complex(view[:, first:behind])
    return Acquired(
        data=wanted[0] if len(wanted) == 1 else wanted.mean(0),
        n_slices=n_slices,
        first=first,
        format=format,
        affine=unplaced((n_slices, rows, columns), (1.0, 1.0, 1.0)),
        facts={"axes": axes, "n_averages": len(wanted)},
        warnings=notes,
    )


def _check(axes: str, shape: tuple[int, ...]) -> None:
    fits = len(axes) == len(shape) and len(set(axes)) == len(axes)
    if not fits or not {"y", "x"} <= set(axes) <= set(AXES):
        raise UsageError(
            f"axes {axes!r} do not fit an array of shape {shape}: give one letter of s (slice), "
            "c (coil), y, x, a (average) for each axis, y and x among them"
        )
