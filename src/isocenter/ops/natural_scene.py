"""Statistics of natural scenes: locally normalised pixels and the distributions they follow.

Undistorted photographs share them, whatever they show, and so do undistorted MR slices among
themselves; distortion changes them.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Literal, NamedTuple

import torch
import torch.nn.functional
from torch import Tensor

from isocenter.ops.windows import gaussian

__all__ = [
    "Asymmetric",
    "asymmetric_of",
    "contrast_normalised",
    "fit_asymmetric",
    "fit_symmetric",
    "fit_weibull",
    "neighbour_products",
    "one_sided_means",
    "patch_means",
    "patches",
    "weibull_of",
    "width_over_deviation",
]

SMALLEST_SHAPE, LARGEST_SHAPE, STEP = 0.2, 10.0, 0.001
"""Exponents that are looked for: of a very peaked and of an almost uniform distribution."""
EULER = 0.5772156649015329

Average = Callable[[Tensor], Tensor]
"""Brings the values of a distribution to their mean: :func:`patch_means` for many at once."""
along_last: Average = partial(torch.mean, dim=-1)


class Asymmetric(NamedTuple):
    """Generalised Gaussian with a width for either side of zero."""

    shape: Tensor
    """Exponent: 1 Laplace, 2 Gaussian."""
    mean: Tensor
    """Of the fitted distribution; 0 where both sides are equal."""
    left: Tensor
    """Root of the mean square of the negative values."""
    right: Tensor
    """Root of the mean square of the positive values."""


def contrast_normalised(
    images: Tensor, *, width: int = 7, edges: Literal["zero", "nearest"]
) -> tuple[Tensor, Tensor]:
    """Pixels less their local mean over their local deviation plus one.

    Ruderman, Network 5(4), 1994; Mittal et al., doi:10.1109/TIP.2012.2214050, equations 1 to 3.
    The one holds for images from 0 to 255.

    Args:
        images: (N, 1, H, W); float64, as a flat place of a bright image leaves few digits.
        width: Of the Gaussian window in pixels, odd; three deviations wide on either side.
        edges: What stands beyond the border: zeros, or the nearest pixel.

    Returns:
        Normalised pixels, and the local deviation in the image's units.
    """
    reach = width // 2
    mode = "constant" if edges == "zero" else "replicate"
    wide = torch.nn.functional.pad(images, [reach] * 4, mode=mode)
    taps = gaussian(width, width / 6).tolist()
    mean, power = _weighted_sum(wide, taps), _weighted_sum(wide * wide, taps)
    deviation = (power - mean * mean).abs().sqrt()
    return (images - mean) / (deviation + 1), deviation


def _weighted_sum(wide: Tensor, taps: list[float]) -> Tensor:
    """A short symmetric window along both axes, only where it fits.

    Sums of shifted images: for seven taps in double precision ten times as fast as the matrix
    product of :func:`isocenter.ops.windows.slide`.
    """
    for axis in (2, 3):
        places = wide.shape[axis] - len(taps) + 1
        parts = [wide.narrow(axis, shift, places) for shift in range(len(taps))]
        wide = parts[len(taps) // 2] * taps[len(taps) // 2]
        for i in range(len(taps) // 2):
            wide = wide.add_(parts[i] + parts[-1 - i], alpha=taps[i])
    return wide


def neighbour_products(maps: Tensor) -> Tensor:
    """Products with the neighbours to the right, below and on both diagonals.

    Args:
        maps: (..., H, W); the last row and column have the first as neighbours.

    Returns:
        (..., 4, H, W).
    """
    shifts = ((0, 1), (1, 0), (1, 1), (1, -1))
    return torch.stack([maps * maps.roll(shift, (-2, -1)) for shift in shifts], -3)


def patches(maps: Tensor, side: int) -> Tensor:
    """Squares side by side, those that do not fit left out at the lower and right border.

    Args:
        maps: (N, C, H, W), two sides of at least ``side`` pixels.
        side: Pixels.

    Returns:
        (N, P, C, side, side).
    """
    squares = maps.unfold(2, side, side).unfold(3, side, side)
    return squares.movedim(1, 3).flatten(1, 2)


def patch_means(maps: Tensor, side: int) -> Tensor:
    """Mean of every one of the :func:`patches`, several times faster than to lay these out.

    Args:
        maps: (N, C, H, W) or (N, C, H, W, K), with K values in every pixel; H and W multiples of
            ``side``.
        side: Pixels.

    Returns:
        (N, P, C), or (N, P, C * K).
    """
    height, width = maps.shape[2:4]
    rows = maps.reshape(*maps.shape[:2], height // side, side, -1).sum(3)
    means: Tensor = rows.unflatten(-1, (width // side, side, -1)).sum(-2) / side**2
    return means.movedim(1, 3).flatten(3).flatten(1, 2)


def fit_symmetric(values: Tensor) -> tuple[Tensor, Tensor]:
    """Generalised Gaussian of mean zero, by its first two absolute moments.

    Sharifi and Leon-Garcia, doi:10.1109/76.350779.

    Args:
        values: (..., K).

    Returns:
        Shape and variance, (...); the shape is NaN where all values are zero.
    """
    variance = values.square().mean(-1)
    return _shape_of(values.abs().mean(-1).square() / variance), variance


def fit_asymmetric(values: Tensor) -> Asymmetric:
    """Asymmetric generalised Gaussian with its mode at zero, by moments.

    Lasmar, Stitou and Berthoumieu, ICIP 2009, doi:10.1109/ICIP.2009.5414404.

    Args:
        values: (..., K), without a gradient.

    Returns:
        Four of (...); NaN where there is no negative or no positive value.
    """
    return asymmetric_of(one_sided_means(values, along_last))


def one_sided_means(values: Tensor, average: Average) -> Tensor:
    """What :func:`asymmetric_of` needs to know of many values.

    Args:
        values: Without a gradient.
        average: Of the values of one distribution.

    Returns:
        (..., 6), of the shape of the averages: of both sides of zero the shares of the values,
        the means and the mean squares, all over the values of both sides.
    """
    negative, positive = values.clamp_max(0), values.clamp_min(0)
    # Written as numbers at once: truths turned into numbers take ten times as long.
    below = torch.lt(values, 0, out=torch.empty_like(values))
    above = torch.gt(values, 0, out=torch.empty_like(values))
    parts = (below, above, negative, positive, negative * negative, positive * positive)
    return torch.stack([average(part) for part in parts], -1)


def asymmetric_of(means: Tensor) -> Asymmetric:
    """:func:`fit_asymmetric` from the :func:`one_sided_means` (..., 6)."""
    below, above, negative, positive, left_power, right_power = means.unbind(-1)
    left, right = (left_power / below).sqrt(), (right_power / above).sqrt()
    size, power = positive - negative, left_power + right_power
    skew = left / right
    tilt = (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shape = _shape_of(size.square() / power * tilt)
    mean = (right - left) * width_over_deviation(shape) * _gamma_ratio(shape)
    return Asymmetric(shape, mean, left, right)


def width_over_deviation(shape: Tensor) -> Tensor:
    """Scale parameter of a generalised Gaussian of deviation 1."""
    return ((torch.lgamma(1 / shape) - torch.lgamma(3 / shape)) / 2).exp()


def fit_weibull(logs: Tensor) -> tuple[Tensor, Tensor]:
    """Weibull distribution by mean and variance of the logarithms.

    Closed, where maximum likelihood needs a search; Menon, Technometrics 5(2), 1963,
    doi:10.1080/00401706.1963.10490073.

    Args:
        logs: (..., K), of the values.

    Returns:
        Shape and scale, (...); where all values are equal the shape is infinite, or as large as
        rounding lets it be.
    """
    return weibull_of(along_last(logs), along_last(logs * logs))


def weibull_of(mean: Tensor, power: Tensor) -> tuple[Tensor, Tensor]:
    """:func:`fit_weibull` from mean and mean square of the logarithms."""
    deviation = (power - mean * mean).clamp_min(0).sqrt()
    shape = torch.pi / (6**0.5 * deviation)
    return shape, (mean + EULER / shape).exp()


def _shape_of(ratio: Tensor) -> Tensor:
    """Exponent at which squared mean size over mean square is ``ratio``; between table entries."""
    shapes, ratios = _shape_table(ratio.dtype, ratio.device)
    above = torch.searchsorted(ratios, ratio.contiguous()).clamp(1, len(ratios) - 1)
    low, high = ratios[above - 1], ratios[above]
    share = ((ratio - low) / (high - low)).clamp(0, 1)
    return shapes[above - 1] + share * STEP


@lru_cache(maxsize=4)
def _shape_table(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    with torch.inference_mode(False), torch.no_grad():
        n_steps = round((LARGEST_SHAPE - SMALLEST_SHAPE) / STEP)
        shapes = SMALLEST_SHAPE + STEP * torch.arange(n_steps + 1, dtype=torch.float64)
        two = 2 * torch.lgamma(2 / shapes)
        ratios = torch.exp(two - torch.lgamma(1 / shapes) - torch.lgamma(3 / shapes))
        return shapes.to(device, dtype), ratios.to(device, dtype)


def _gamma_ratio(shape: Tensor) -> Tensor:
    return (torch.lgamma(2 / shape) - torch.lgamma(1 / shape)).exp()
