"""Smooth phase for scans that come as magnitudes."""

import math

import torch
from jaxtyping import Float32, Float64
from scipy.interpolate import CubicSpline
from torch import Tensor

__all__ = ["SPREAD", "draw_phase", "phase_slices"]

SPREAD = 1.0
"""Standard deviation of the phase at the knots, radians."""


def draw_phase(
    *, rng: torch.Generator, n_knots: int = 4, spread: float = SPREAD
) -> Float64[Tensor, "knot knot knot"]:
    """Phase at the knots of a coarse grid: normal, plus one angle of the whole turn for all.

    Args:
        rng: Source of every draw.
        n_knots: Along every axis, at least 2; more of them bend the phase more.
        spread: Standard deviation at a knot in radians.
    """
    knots = torch.randn((n_knots,) * 3, dtype=torch.float64, generator=rng)
    turn = 2 * math.pi * float(torch.rand(1, dtype=torch.float64, generator=rng))
    return turn + spread * knots


def phase_slices(
    knots: Float64[Tensor, "a b c"], shape: tuple[int, int, int], chosen: slice = slice(None)
) -> Float32[Tensor, "slice y x"]:
    """The phase between the knots, by natural cubic splines along every axis.

    Args:
        knots: Radians, evenly spaced from the first place of an axis to the last.
        shape: Slices, rows and columns of the whole stack.
        chosen: Which slices to make.

    Returns:
        Radians, not wrapped.
    """
    along = [_spline(n, len_knots) for n, len_knots in zip(shape, knots.shape, strict=True)]
    along[0] = along[0][chosen]
    return torch.einsum("abc,sa,yb,xc->syx", knots, *along).float()


def _spline(n: int, n_knots: int) -> Float64[Tensor, "n knot"]:
    """The value at every place of an axis for a 1 at each knot."""
    at = torch.linspace(0, 1, n, dtype=torch.float64) if n > 1 else torch.tensor([0.5]).double()
    knots = torch.linspace(0, 1, n_knots, dtype=torch.float64)
    spline = CubicSpline(knots.numpy(), torch.eye(n_knots).double().numpy(), bc_type="natural")
    return torch.from_numpy(spline(at.numpy()))
