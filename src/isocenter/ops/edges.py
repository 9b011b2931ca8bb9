"""Canny's edges of 2-D images."""

import torch
import torch.nn.functional
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["canny"]

REACH = 4.0
"""The derivative filter ends at this many standard deviations."""
ROUNDING = 1e-5
"""Share of the brightest value below which a gradient is what rounding makes of an even image."""


def canny(
    images: Float[Tensor, "n h w"], *, sigma: float, low: float, high: float
) -> Bool[Tensor, "n h w"]:
    """Ridges of the smoothed gradient that touch a strong one.

    Canny, IEEE TPAMI 8(6), 1986, doi:10.1109/TPAMI.1986.4767851.

    Args:
        images: Real, any units.
        sigma: Of the Gaussian whose derivative is the filter, pixels.
        low: Weakest edge, as a share of the image's largest gradient.
        high: Every edge must touch one as strong as this.
    """
    down, across = _smooth_slopes(images, sigma)
    size = torch.hypot(down, across)
    brightest = images.abs().amax((1, 2), keepdim=True)
    largest = torch.maximum(size.amax((1, 2), keepdim=True), ROUNDING * brightest)
    ridges = _ridges(size, down, across) & (size > low * largest)
    strong, found = ridges & (size > high * largest), None
    while found is None or not torch.equal(strong, found):
        found = strong
        strong = _neighbours(found) & ridges
    return strong


def _neighbours(mask: Tensor) -> Tensor:
    """The mask and the eight pixels around each of its own."""
    for axis in (1, 2):
        side = mask.shape[axis] - 1
        wider = mask.clone()
        wider.narrow(axis, 1, side).logical_or_(mask.narrow(axis, 0, side))
        wider.narrow(axis, 0, side).logical_or_(mask.narrow(axis, 1, side))
        mask = wider
    return mask


def _smooth_slopes(images: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Derivatives of Gaussian down and across, the border repeated outwards."""
    radius = max(1, round(REACH * sigma))
    at = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    bell = torch.exp(-(at**2) / (2 * sigma**2))
    bell = bell / bell.sum()
    slope = at * bell
    wide = torch.nn.functional.pad(images[:, None], [radius] * 4, mode="replicate")
    down = _filter(wide, slope, bell)
    return down[:, 0], _filter(wide, bell, slope)[:, 0]


def _filter(wide: Tensor, down: Tensor, across: Tensor) -> Tensor:
    once = torch.nn.functional.conv2d(wide, across[None, None, None])
    return torch.nn.functional.conv2d(once, down[None, None, :, None])


def _ridges(size: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Where the gradient is no smaller than one step along and against its direction."""
    wide = torch.nn.functional.pad(size[:, None], [1] * 4, mode="replicate")[:, 0]
    height, width = size.shape[1:]

    def seen(row: int, column: int) -> Tensor:
        return wide[:, 1 + row : 1 + row + height, 1 + column : 1 + column + width]

    steep = down.abs() > across.abs()
    longer = torch.maximum(down.abs(), across.abs()).clamp_min(torch.finfo(size.dtype).tiny)
    tilt = torch.minimum(down.abs(), across.abs()) / longer
    same_sign = down * across > 0
    ridge = torch.ones_like(steep)
    for way in (1, -1):
        straight = torch.where(steep, seen(way, 0), seen(0, way))
        oblique = torch.where(
            same_sign, seen(way, way), torch.where(steep, seen(way, -way), seen(-way, way))
        )
        ridge &= size >= (1 - tilt) * straight + tilt * oblique
    return ridge
