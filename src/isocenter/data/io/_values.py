"""From stored numbers to real units in float32."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["scaled"]


def scaled(
    raw: npt.NDArray[np.generic], slope: float = 1.0, intercept: float = 0.0
) -> npt.NDArray[np.float32]:
    """``raw * slope + intercept``, computed in double precision, slice by slice.

    Args:
        raw: (x, y, z), any real or complex type; complex becomes its magnitude.
    """
    if np.iscomplexobj(raw):
        raw = np.abs(raw)
    result = np.empty(raw.shape, np.float32, order="F")
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and infinite is counted
        if slope == 1 and intercept == 0:
            np.copyto(result, raw, casting="unsafe")
            return result
        for index in range(raw.shape[2]):
            result[:, :, index] = raw[:, :, index].astype(np.float64) * slope + intercept
    return result
