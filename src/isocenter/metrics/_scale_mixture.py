"""Wavelet coefficients as Gaussians of varying scale, and what distortion does to them.

The model under IFC and VIF: blocks of 3 x 3 coefficients of the reference are Gaussian with one
covariance per subband and a scale of their own; the image is gain times reference plus noise.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional
from jaxtyping import Float
from torch import Tensor

from isocenter.metrics._pairs import ratio
from isocenter.ops.steerable import steerable_bands

__all__ = ["LEVELS", "MINIMUM_SIDE", "Channel", "channels"]

LEVELS, ORIENTATIONS = 4, 6
DIRECTIONS = (0, 3)
"""Of the six: waves along the width and along the height."""
BLOCK = 3
MINIMUM_SIDE = 65
"""Leaves 9 coefficients in the coarsest subband: one block away from the border."""
TINY = 1e-15


@dataclass(frozen=True, eq=False)
class Channel:
    """What one subband lets through, block by block."""

    variances: Float[Tensor, "n b 9"]
    """Of the reference along the axes of its covariance."""
    gain: Float[Tensor, "n b"]
    noise: Float[Tensor, "n b"]
    """Variance, > 0."""


def channels(image: Tensor, reference: Tensor) -> Iterator[Channel]:
    """Subbands of (n, 1, H, W) images from 0 to 255, four scales by two directions."""
    bands = steerable_bands(
        torch.cat([reference, image])[:, 0],
        levels=LEVELS,
        orientations=ORIENTATIONS,
        scales=range(LEVELS),
        directions=DIRECTIONS,
    )
    for level, scale in enumerate(bands):
        for band in scale.real.unbind(1):
            x, y = band.chunk(2)
            yield _channel(x, y, 2 ** (LEVELS - level) + 1)


def _channel(x: Tensor, y: Tensor, window: int) -> Channel:
    """Regression of y on x in windows around the blocks, the fine scales with the wide ones."""
    border = -(-(window // 2) // BLOCK)
    gain, noise = _regression(x, y, window, border)
    return Channel(_variances(x, border), gain.flatten(1), noise.flatten(1))


def _variances(band: Tensor, border: int) -> Tensor:
    """Squared scale of every block times the eigenvalues of the covariance of all blocks.

    A 9 x 9 eigenproblem in double precision, so that a flat subband is no trouble.
    """
    rows, columns = (side // BLOCK for side in band.shape[1:])
    whole = band[:, : rows * BLOCK, : columns * BLOCK].double()[:, None]
    vectors = torch.nn.functional.unfold(whole, BLOCK)
    centred = vectors - vectors.mean(2, keepdim=True)
    covariance = centred @ centred.mT / vectors.shape[2]
    values, axes = torch.linalg.eigh(covariance)
    values = values.clamp_min(0)
    values = torch.where(values > 1e-12 * values[:, -1:], values, 0.0)
    own = torch.nn.functional.unfold(whole, BLOCK, stride=BLOCK)
    along = (axes.mT @ own).square()
    scale = ratio(along, values[..., None].expand_as(along), otherwise=0).mean(1)
    inner = scale.reshape(-1, rows, columns)[:, border : rows - border, border : columns - border]
    return (inner.flatten(1)[..., None] * values[:, None]).to(band.dtype)


def _regression(x: Tensor, y: Tensor, window: int, border: int) -> tuple[Tensor, Tensor]:
    """Gain and noise variance; no gain where it would be negative or x is flat."""
    moments = torch.stack([x, y, x * x, y * y, x * y], dim=1)
    mean_x, mean_y, xx, yy, xy = _block_means(moments, window, border).unbind(1)
    var_x, var_y = (xx - mean_x**2).clamp_min(0), (yy - mean_y**2).clamp_min(0)
    covariance = xy - mean_x * mean_y
    linked = (var_x > TINY) & (var_y > TINY) & (covariance > 0)
    gain = torch.where(linked, covariance / torch.where(linked, var_x, 1.0), 0.0)
    noise = torch.where(linked, var_y - gain * covariance, var_y)
    # Where the image is flat nothing of the reference is left, and no noise has taken its place.
    return gain, noise.clamp_min(TINY)


def _block_means(stack: Tensor, window: int, border: int) -> Tensor:
    """Means of windows centred on the inner blocks of the last two axes."""
    rows, columns = (side // BLOCK - 2 * border for side in stack.shape[-2:])
    first = BLOCK * border + BLOCK // 2 - window // 2
    means = torch.nn.functional.avg_pool2d(stack[..., first:, first:], window, BLOCK)
    return means[..., :rows, :columns]
