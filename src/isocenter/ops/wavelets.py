"""Wavelets 9/7 of Cohen, Daubechies and Feauveau."""

import torch
from jaxtyping import Float
from torch import Tensor

from isocenter.ops.windows import multiply_along, operator

__all__ = ["wavelet_bands"]

LOW = (0.852698679009, 0.377402855613, -0.110624404418, -0.023849465020, 0.037828455507)
"""From the middle outwards; the sum of all nine taps is the root of 2."""
HIGH = (0.788485616406, -0.418092273222, -0.040689417609, 0.064538882629)
"""From the middle outwards; the sum of all seven taps is 0."""


def wavelet_bands(
    images: Float[Tensor, "n c h w"], *, levels: int
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Coefficients of the biorthogonal 9/7 wavelets, nearly orthonormal.

    Antonini et al., IEEE TIP 1(2), 1992, doi:10.1109/83.136597; the image is mirrored about its
    first and last pixels.

    Args:
        images: Real, any units; an odd side gives one low coefficient more than high ones.
        levels: Number of scales; each halves the sides.

    Returns:
        Per scale, fine to coarse: fine down, fine across, fine along both, each (n, c, h', w').
        The mean squares over 4^scale add up to about the variance, less what is coarser.
    """
    bands = []
    for _ in range(levels):
        (low_low, low_high), (high_low, high_high) = (_split(part, 3) for part in _split(images, 2))
        bands.append((high_low, low_high, high_high))
        images = low_low
    return bands


def _split(stack: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Low coefficients at the even places of an axis, high ones at the odd places."""
    side = stack.shape[axis]
    low, high = (operator(side, _taps(half), edges="mirror") for half in (LOW, HIGH))
    both = multiply_along(stack, torch.cat([low[:, ::2], high[:, 1::2]], dim=1), axis)
    coarse, fine = both.split([(side + 1) // 2, side // 2], axis)
    return coarse, fine


def _taps(half: tuple[float, ...]) -> Tensor:
    return torch.tensor([*half[:0:-1], *half], dtype=torch.float64)
