"""Compiled Poisson disc sampling: places are taken in turn, each forbids the disc around it."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["take_discs"]

Array = npt.NDArray[Any]


@numba.njit(cache=True, nogil=True)
def take_discs(order: Array, radius: Array, scale: float, taken: Array) -> int:
    """Take each place of ``order`` that no earlier one forbids; a place forbids a disc around it.

    ``order`` holds flat indices, ``radius`` (rows, columns) times ``scale`` is in places and
    ``taken``, of the same shape, is written.  Returns how many were taken.
    """
    n_rows, n_columns = radius.shape
    forbidden = np.zeros((n_rows, n_columns), np.bool_)
    taken[:] = False
    n_taken = 0
    for place in order:
        row, column = place // n_columns, place % n_columns
        if forbidden[row, column]:
            continue
        taken[row, column] = True
        n_taken += 1
        reach = scale * radius[row, column]
        whole = int(reach)
        for i in range(max(0, row - whole), min(n_rows, row + whole + 1)):
            for j in range(max(0, column - whole), min(n_columns, column + whole + 1)):
                if (i - row) ** 2 + (j - column) ** 2 < reach * reach:
                    forbidden[i, j] = True
    return n_taken
