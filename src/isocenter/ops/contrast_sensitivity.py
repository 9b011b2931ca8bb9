"""How well the eye sees a wave of a given frequency."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["frequencies", "low_pass_sensitivity", "sensitivity"]

PEAK = 7.8909
"""Cycles per degree below which the low-pass form is constant."""
PLATEAU = 0.9809
"""Its value there."""
OBLIQUE = 0.7
"""Reach of the eye along the diagonals, as a share of that along the axes."""


def sensitivity(frequency: Tensor) -> Tensor:
    """2.6 (0.0192 + 0.114 f) exp(-(0.114 f)^1.1), at most about 0.98.

    Mannos and Sakrison, IEEE Transactions on Information Theory 20(4), 1974,
    doi:10.1109/TIT.1974.1055250.

    Args:
        frequency: Cycles per degree, >= 0, any shape.
    """
    scaled = 0.114 * frequency
    gain: Tensor = 2.6 * (0.0192 + scaled) * torch.exp(-(scaled**1.1))
    return gain


def frequencies(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Cycles per pixel down and across, (2, h, w // 2 + 1), float64: the grid of ``rfft2``."""
    down = torch.fft.fftfreq(height, dtype=torch.float64, device=device)
    across = torch.fft.rfftfreq(width, dtype=torch.float64, device=device)
    return torch.stack(torch.meshgrid(down, across, indexing="ij"))


@lru_cache(maxsize=8)
def low_pass_sensitivity(
    height: int,
    width: int,
    pixels_per_degree: float,
    dtype: torch.dtype,
    device: torch.device,
) -> Float[Tensor, "h w2"]:
    """:func:`sensitivity` of every wave of an image, constant below its peak.

    Oblique waves count as finer than they are.  Mitsa and Varkur, ICASSP 1993,
    doi:10.1109/ICASSP.1993.319807.

    Args:
        height: Pixels.
        width: Pixels.
        pixels_per_degree: Of visual angle; the finest wave has half as many cycles.
        dtype: Of the result.
        device: Of the result.

    Returns:
        On the grid of ``rfft2``, from 0 to 0.98.
    """
    with torch.inference_mode(False), torch.no_grad():
        down, across = frequencies(height, width, device)
        angle = torch.atan2(down, across)
        reach = (1 - OBLIQUE) / 2 * torch.cos(4 * angle) + (1 + OBLIQUE) / 2
        radius = torch.hypot(down, across) * pixels_per_degree / reach
        return torch.where(radius < PEAK, PLATEAU, sensitivity(radius)).to(dtype)
