"""What every function here accepts: columns of one length, checked once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isocenter.errors import InputError, UsageError

Array = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]
Relation = npt.NDArray[np.bool_]


def columns(*given: npt.ArrayLike) -> tuple[Array, ...]:
    """Vectors of one length as float64.

    Raises:
        UsageError: Not vectors, or of different lengths.
    """
    arrays = tuple(np.asarray(values, np.float64) for values in given)
    if any(array.ndim != 1 for array in arrays) or len({array.size for array in arrays}) > 1:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise UsageError(f"columns must be vectors of one length, not {shapes}; one value an image")
    return arrays


def finite(name: str, values: Array) -> Array:
    """``values``, none of which is NaN or infinite.

    Raises:
        InputError: Some are.
    """
    n_bad = int(np.sum(~np.isfinite(values)))
    if n_bad:
        raise InputError(
            f"{n_bad} of {values.size} {name} are infinite or missing; leave these images out"
        )
    return values


def between_0_and_1(name: str, value: float) -> float:
    """``value``, which lies strictly between 0 and 1.

    Raises:
        UsageError: It does not.
    """
    if not 0 < value < 1:
        raise UsageError(f"{name} must lie between 0 and 1, not {value}; usual is 0.95 or 0.05")
    return value


def score_table(scores: npt.ArrayLike, n_images: int) -> Matrix:
    """A table (methods, images) as float64.

    Raises:
        UsageError: Not a table, or not of ``n_images`` columns.
        InputError: A score is missing.
    """
    table = np.asarray(scores, np.float64)
    if table.ndim != 2 or table.shape[1] != n_images:
        raise UsageError(
            f"scores must be (methods, {n_images} images), not {table.shape}; one row a method"
        )
    if np.isnan(table).any():
        raise InputError("some scores are missing; leave these images out for every method")
    return table


def named_rows(names: Sequence[str], table: Matrix) -> Matrix:
    """``table``, which has a name for every row.

    Raises:
        UsageError: It has not.
    """
    if len(names) != len(table):
        raise UsageError(f"{len(names)} names for {len(table)} rows; name every row once")
    return table
