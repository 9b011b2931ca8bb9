"""A curve from one image's brightness to another's, found through what blurs the first."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.optimize
import torch
from jaxtyping import Bool, Float32, Float64
from torch import Tensor

from isocenter.data.shapes import Image3
from isocenter.ops.operator import LinearOperator

__all__ = ["BrightnessMap", "fit_brightness_map"]

Array = npt.NDArray[np.float64]

N_KNOTS = 10
ENOUGH = 200_000
"""Voxels from which a curve of so few knots does not change any more."""

PULL = 0.01
"""Share of the voxels that must lie beyond a line for its slope to be its own; slopes of fewer are
drawn to that of one line through all, lest a lesion has a slope to itself."""
N_ROUNDS = 2
OUTLYING = 4.5
"""Median residuals, about three standard deviations of noise, beyond which a voxel has no say."""


@dataclass(frozen=True, eq=False)
class BrightnessMap:
    """Straight lines between knots, never falling; the first and the last line go on outside."""

    knots: Float64[Tensor, " n"]
    """Brightness that goes in, rising; two at least."""
    values: Float64[Tensor, " n"]
    """Brightness that comes out."""

    def __call__(self, image: Image3) -> Image3:
        """Every voxel's brightness on the curve."""
        index = self._line(image)
        knots, values = self.knots.to(image), self.values.to(image)
        return values[index] + (image - knots[index]) * self.slopes.to(image)[index]

    def slope(self, image: Image3) -> Image3:
        """The curve's slope at every voxel's brightness."""
        return self.slopes.to(image)[self._line(image)]

    @property
    def slopes(self) -> Float64[Tensor, " m"]:
        """Of each line."""
        return self.values.diff() / self.knots.diff()

    def _line(self, image: Image3) -> Tensor:
        inner = self.knots[1:-1].to(image)
        return torch.bucketize(image, inner)


def fit_brightness_map(
    linear: LinearOperator,
    image: Image3,
    seen: Float32[Tensor, "a b c"],
    inside: Bool[Tensor, "a b c"],
) -> BrightnessMap:
    """The rising curve T with the least ``|A T(image) - seen|`` within a mask.

    The slopes of lines between evenly spaced knots enter ``A T(image)`` linearly:
    non-negative least squares (Lawson and Hanson, 1974, doi:10.1137/1.9781611971217).

    Args:
        linear: A, such as the blur of thick slices.
        image: What goes in.
        seen: What came out.
        inside: On the grid of ``seen``.

    Returns:
        The identity where the image has a single brightness.
    """
    # The brightness of the thick slices' own voxels: air, which is most of an image, has no say.
    values = linear(image)[inside]
    every = max(1, len(values) // ENOUGH)
    values = values[::every]
    low, high = np.quantile(values.double().numpy(), [0.005, 0.995])
    knots = torch.linspace(low, high, N_KNOTS, dtype=torch.float64)
    if not high > low:
        ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
        return BrightnessMap(ends, ends)
    n_lines = len(knots) - 1
    columns = [linear(_ramp(image, knots, line))[inside][::every] for line in range(n_lines)]
    table = torch.stack(columns, 1).double().numpy()
    target = seen[inside][::every].double().numpy()
    slope = max(0.0, float(np.cov(values.double().numpy(), target)[0, 1] / values.double().var()))
    usual = np.full(n_lines, slope * (high - low) / n_lines)
    rises, start = _rises(table, target, usual)
    for _ in range(N_ROUNDS):  # without what no curve explains, such as a lesion of one image
        left = np.abs(target - start - table @ rises)
        kept = left <= OUTLYING * max(float(np.median(left)), 1e-6 * (high - low))
        rises, start = _rises(table[kept], target[kept], usual)
    return BrightnessMap(knots, torch.from_numpy(start + np.concatenate([[0.0], rises.cumsum()])))


def _rises(table: Array, target: Array, usual: Array) -> tuple[Array, float]:
    """From knot to knot, and the first value, which makes the mean right."""
    base, triangle = np.linalg.qr(table - table.mean(0))
    weight = np.sqrt(PULL * len(table))
    rows = np.concatenate([triangle, weight * np.eye(len(usual))])
    aims = np.concatenate([base.T @ (target - target.mean()), weight * usual])
    rises, _ = scipy.optimize.nnls(rows, aims)
    return rises, float(target.mean() - table.mean(0) @ rises)


def _ramp(image: Image3, knots: Float64[Tensor, " n"], line: int) -> Image3:
    """Goes from 0 to 1 from one knot to the next; the outer ramps go on beyond the ends."""
    low, high = knots[line : line + 2].tolist()
    ramp: Image3 = (image - low) / (high - low)
    if line > 0:
        ramp = ramp.clamp_min(0.0)
    return ramp if line == len(knots) - 2 else ramp.clamp_max(1.0)
