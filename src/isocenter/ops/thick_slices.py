"""From a fine volume to few thick slices: a matrix along every axis, with an exact adjoint."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from isocenter.errors import UsageError
from isocenter.ops.operator import LinearOperator
from isocenter.ops.windows import multiply_along

__all__ = ["Acquisition", "ThickSlices", "interpolation", "splined", "thick_slices"]

FWHM_OVER_SIGMA = 2 * math.sqrt(2 * math.log(2))
REACH = 4.0
"""Standard deviations at which a Gaussian ends, as in SciPy."""
EDGE = 0.35
"""Of the slice's thickness: how far the flanks of a Shinnar-Le Roux profile reach."""


@dataclass(frozen=True)
class Acquisition:
    """How a low-field scanner samples what a high-field one shows; lengths in fine voxels.

    Raises:
        UsageError: Thickness and gap do not add up to the ratio, or a number makes no sense.
    """

    ratio: int
    """Fine slices from one thick slice to the next."""
    thickness: float | None = None
    """Full width at half maximum of the slice's profile; three quarters of the ratio if not
    given."""
    phase: float | None = None
    """Where the first thick slice lies on the fine slices; the middle of the first block,
    ``(ratio - 1) / 2``, if not given.  The published simulator has 0."""
    profile: Literal["gaussian", "rect", "slr"] = "gaussian"
    """``slr``: flat with smooth flanks, as pulses after Shinnar and Le Roux make it."""
    in_plane: float = 0.0
    """Full width at half maximum of a Gaussian blur within slices."""
    kept: float = 1.0
    """Share of the in-plane k-space that is acquired; less than 1 rings at edges (Gibbs)."""

    def __post_init__(self) -> None:
        if self.ratio < 1:
            raise UsageError(f"ratio is {self.ratio}: give a whole number from 1")
        if not 0 < self.width <= self.ratio:
            raise UsageError(
                f"slice thickness is {self.width:g} fine slices at a ratio of {self.ratio}: give "
                "one above 0 and at most the ratio, the rest is the gap"
            )
        if not 0 < self.kept <= 1 or self.in_plane < 0:
            raise UsageError(
                f"in-plane blur {self.in_plane:g} and kept share {self.kept:g}: give a blur of 0 "
                "or more and a share above 0, at most 1"
            )

    @property
    def width(self) -> float:
        """Thickness of a slice; what is left of the ratio is the gap."""
        return 0.75 * self.ratio if self.thickness is None else self.thickness

    @property
    def first(self) -> float:
        """Position of the first thick slice on the fine ones."""
        return (self.ratio - 1) / 2 if self.phase is None else self.phase


@dataclass(frozen=True, eq=False)
class ThickSlices(LinearOperator):
    """Fine (..., x, y, z) to coarse, one matrix per axis; ``None`` leaves an axis as it is."""

    matrices: tuple[Tensor | None, ...]
    """float64 (coarse, fine) along the last three axes."""

    def __call__(self, x: Float[Tensor, "*batch x y z"]) -> Float[Tensor, "*batch a b c"]:
        for axis, matrix in enumerate(self.matrices):
            if matrix is not None:
                x = multiply_along(x, matrix.T, axis - 3)
        return x

    def adjoint(self, y: Float[Tensor, "*batch a b c"]) -> Float[Tensor, "*batch x y z"]:
        for axis, matrix in enumerate(self.matrices):
            if matrix is not None:
                y = multiply_along(y, matrix, axis - 3)
        return y


def thick_slices(shape: tuple[int, int, int], axis: int, acquisition: Acquisition) -> ThickSlices:
    """The linear part of a low-field acquisition.

    Lin et al., Medical Image Analysis 87:102807, 2023, doi:10.1016/j.media.2023.102807, with
    thickness 6 and gap 2 at a ratio of 8, phase 0 and a Gaussian profile.

    Args:
        shape: Of the fine volume.
        axis: Across slices.
        acquisition: What the scanner does.

    Raises:
        UsageError: Fewer fine slices than the ratio.
    """
    if shape[axis] < acquisition.ratio:
        raise UsageError(
            f"{shape[axis]} slices cannot make one thick slice of {acquisition.ratio}: give a "
            "smaller ratio"
        )
    matrices: list[Tensor | None] = []
    for one, side in enumerate(shape):
        matrices.append(_across(side, acquisition) if one == axis else _within(side, acquisition))
    return ThickSlices(tuple(matrices))


def _across(side: int, acquisition: Acquisition) -> Float64[Tensor, "coarse fine"]:
    """Rows of the slice profile, every ``ratio`` fine slices; the border goes on outside."""
    n_coarse = side // acquisition.ratio
    centres = acquisition.first + acquisition.ratio * torch.arange(n_coarse, dtype=torch.float64)
    return _profiles(side, centres, acquisition.width, acquisition.profile)


def _within(side: int, acquisition: Acquisition) -> Float64[Tensor, "n n"] | None:
    blur = None
    if acquisition.in_plane > 0:
        centres = torch.arange(side, dtype=torch.float64)
        blur = _profiles(side, centres, acquisition.in_plane, "gaussian")
    if acquisition.kept == 1:
        return blur
    truncated = _truncation(side, acquisition.kept)
    return truncated if blur is None else truncated @ blur


def _profiles(
    side: int, centres: Float64[Tensor, " n"], width: float, kind: str
) -> Float64[Tensor, "n side"]:
    reach = math.ceil(REACH * width) + 1
    places = torch.arange(-reach, side + reach, dtype=torch.float64)
    distance = (places[None] - centres[:, None]).abs()
    weights = _weights(distance, width, kind)
    weights = weights / weights.sum(1, keepdim=True)
    inside = torch.zeros(len(centres), side, dtype=torch.float64)
    return inside.index_add_(1, places.long().clamp(0, side - 1), weights)


def _weights(distance: Float64[Tensor, "n m"], width: float, kind: str) -> Tensor:
    if kind == "gaussian":
        sigma = width / FWHM_OVER_SIGMA
        inside = distance <= int(REACH * sigma + 0.5)
        return torch.exp(-0.5 * (distance / sigma) ** 2) * inside
    if kind == "rect":  # what of each fine slice lies inside the thick one
        return (width / 2 + 0.5 - distance).clamp(0, 1)
    flank = EDGE * width
    return 0.5 * torch.erfc((distance - width / 2) / (flank / 2))


def _truncation(side: int, kept: float) -> Float64[Tensor, "n n"]:
    """Fourier transform, drop the outer lines, transform back: real and symmetric."""
    n_kept = max(1, round(kept * side))
    frequencies = torch.fft.fftfreq(side, dtype=torch.float64) * side
    # As many on either side, so that the image stays real.
    lines = (frequencies.abs() <= (n_kept - 1) / 2).to(torch.complex128)
    column = torch.fft.ifft(lines).real
    index = torch.arange(side)
    matrix: Tensor = column[(index[:, None] - index[None]) % side]
    return matrix


def interpolation(
    n_fine: int, n_coarse: int, acquisition: Acquisition, *, order: Literal[1, 3]
) -> Float64[Tensor, "fine coarse"]:
    """From thick slices back to fine ones: linear, or a cubic spline (not-a-knot).

    Beyond the first and the last thick slice the value stays that of the border.

    Args:
        n_fine: Fine slices.
        n_coarse: Thick slices.
        acquisition: Its ratio and first position.
        order: 1 linear, 3 cubic.
    """
    from scipy.interpolate import make_interp_spline

    places = (np.arange(n_fine) - acquisition.first) / acquisition.ratio
    degree = min(order, n_coarse - 1)
    if degree == 0:
        return torch.ones(n_fine, 1, dtype=torch.float64)
    knots = np.arange(n_coarse, dtype=float)
    spline = make_interp_spline(knots, np.eye(n_coarse), k=degree)
    return torch.from_numpy(spline(places.clip(0, n_coarse - 1)))


def splined(thick: Tensor, ratio: int, axis: int = -1) -> Tensor:
    """Thin slices by cubic splines; a block of ``ratio`` is centred on its thick slice.

    Args:
        thick: Thick slices along ``axis``, any other axes.
        ratio: Thin slices for a thick one.
        axis: Across slices.
    """
    return multiply_along(thick, _to_thin(thick.shape[axis], ratio), axis)


@lru_cache(maxsize=64)
def _to_thin(n_thick: int, ratio: int) -> Float64[Tensor, "thick thin"]:
    return interpolation(n_thick * ratio, n_thick, Acquisition(ratio), order=3).T
