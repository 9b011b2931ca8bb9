"""Riesz transform: the Hilbert transform of images."""

from functools import lru_cache

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from isocenter.ops.phase import frequency_grid

__all__ = ["riesz_features"]


def riesz_features(images: Float[Tensor, "n h w"]) -> Float[Tensor, "n 5 h w"]:
    """First and second order Riesz transforms: x, y, xx, xy, yy, in the image's units.

    In frequency, multiplication by -i f_x / |f|, and so on; the mean of the image is lost.

    Args:
        images: Real, any units.
    """
    height, width = images.shape[1:]
    kernels = _kernels(height, width, images.dtype, images.device)
    spectrum = torch.fft.rfft2(images)[:, None]
    features: Tensor = torch.fft.irfft2(spectrum * kernels, s=(height, width))
    return features


@lru_cache(maxsize=8)
def _kernels(
    height: int, width: int, dtype: torch.dtype, device: torch.device
) -> Complex[Tensor, "5 h w"]:
    with torch.inference_mode(False), torch.no_grad():
        down, across = frequency_grid(height, width, device)
        radius = torch.hypot(down, across)
        radius[0, 0] = 1
        x, y = -1j * across / radius, -1j * down / radius
        kernels = torch.stack([x, y, x * x, x * y, y * y])[..., : width // 2 + 1]
        return kernels.to(torch.complex64 if dtype == torch.float32 else torch.complex128)
