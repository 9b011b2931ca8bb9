"""Compiled field of a circular current loop, in closed form by complete elliptic integrals."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy.typing as npt

__all__ = ["transverse_fields"]

Array = npt.NDArray[Any]


@numba.njit(cache=True, nogil=True, inline="always")
def _elliptic(complement: float) -> tuple[float, float]:
    """K and E of the parameter 1 - ``complement``, by the arithmetic-geometric mean.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 17.6.
    """
    a, b, power = 1.0, math.sqrt(complement), 0.5
    total = power * (1.0 - complement)
    while a - b > 1e-9 * a:
        half_gap = (a - b) / 2
        a, b = (a + b) / 2, math.sqrt(a * b)
        power *= 2
        total += power * half_gap * half_gap
    first = math.pi / (a + b)
    return first, first * (1 - total)


@numba.njit(cache=True, nogil=True)
def transverse_fields(
    points: Array,
    centres: Array,
    normals: Array,
    radii: Array,
    wire: float,
    out: Array,
    start: int,
    stop: int,
) -> None:
    """``out`` (coil, n) is ``B_x - i B_y`` at points ``start`` to ``stop``, for mu_0 I / pi = 1.

    Simpson et al., NASA/TM-2013-217919, 2001, in cylinder coordinates around the loop's axis;
    nearer to the wire than ``wire`` times the radius the field grows no further.
    """
    for coil in range(len(radii)):
        radius, normal, centre = radii[coil], normals[coil], centres[coil]
        for i in range(start, stop):
            x, y = points[i, 0] - centre[0], points[i, 1] - centre[1]
            s = points[i, 2] - centre[2]
            z = x * normal[0] + y * normal[1] + s * normal[2]
            square = x * x + y * y + s * s
            rho_square = max(square - z * z, 1e-12 * radius * radius)
            twice = 2 * radius * math.sqrt(rho_square)
            near = max(radius * radius + square - twice, (wire * radius) ** 2)
            far = radius * radius + square + twice
            first, second = _elliptic(near / far)
            common = 1 / (2 * near * math.sqrt(far))
            along = common * ((radius * radius - square) * second + near * first)
            outward = common * z * ((radius * radius + square) * second - near * first)
            outward /= rho_square
            b_x = along * normal[0] + outward * (x - z * normal[0])
            b_y = along * normal[1] + outward * (y - z * normal[1])
            out[coil, i] = complex(b_x, -b_y)
