"""How near a reconstruction is to its reference, by the two definitions that are published."""

from math import inf
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from isocenter.data.scores import Score
from isocenter.metrics.nmse import nmse
from isocenter.metrics.psnr import psnr
from isocenter.metrics.ssim import ssim_map

__all__ = ["DEFINITIONS", "fidelity", "uniform_ssim"]

DEFINITIONS = {
    "fastMRI": "magnitude, all slices together; range: the reference's largest value; SSIM with a "
    "uniform window of 7 x 7, mean over slices",
    "published": "magnitude, mean over slices; PSNR with the reference slice's largest value; SSIM "
    "with a Gaussian window, mirrored borders and the larger of both ranges; NMSE after each slice "
    "was divided by its own maximum",
}
"""In words; the second is that of the published HFS-SDE."""
SIDE = 7
K1, K2 = 0.01, 0.03


def fidelity(
    image: Float[Tensor, "slice y x"], reference: Float[Tensor, "slice y x"]
) -> tuple[Score, ...]:
    """PSNR (dB), SSIM and NMSE by both definitions; the published ones end in ``_published``.

    fastMRI: Zbontar et al., arXiv:1811.08839, section 5.3.

    Args:
        image: Magnitude.
        reference: Magnitude, same shape and units; not constant 0.
    """
    one, other = image.double(), reference.double()
    peak = float(other.max())
    whole = (one[None, None], other[None, None])
    values = {
        "psnr": float(psnr(*whole, data_range=peak)),
        "ssim": float(uniform_ssim(one, other, data_range=peak).mean()),
        "nmse": float(nmse(*whole)),
        **_published(one, other),
    }
    return tuple(_score(name, value) for name, value in values.items())


def uniform_ssim(
    image: Float[Tensor, "slice y x"], reference: Float[Tensor, "slice y x"], *, data_range: float
) -> Float[Tensor, " slice"]:
    """Structural similarity with a uniform window of 7 x 7 and sample variances.

    Wang et al., IEEE TIP 13(4), 2004, doi:10.1109/TIP.2003.819861, where the window fits.

    Args:
        image: At least 7 pixels along y and x.
        reference: Same shape.
        data_range: Largest possible difference of two values.
    """
    moments = torch.stack([image, reference, image**2, reference**2, image * reference], dim=1)
    x, y, xx, yy, xy = F.avg_pool2d(moments, SIDE, stride=1).unbind(1)
    sample = SIDE**2 / (SIDE**2 - 1)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    variances, covariance = sample * (xx - x * x + yy - y * y), sample * (xy - x * y)
    luminance = (2 * x * y + c1) / (x * x + y * y + c1)
    return (luminance * (2 * covariance + c2) / (variances + c2)).mean((1, 2))


def _published(image: Tensor, reference: Tensor) -> dict[str, float]:
    rows = [_published_slice(*pair) for pair in zip(image, reference, strict=True)]
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def _published_slice(image: Tensor, reference: Tensor) -> dict[str, float]:
    pair = (image[None, None], reference[None, None])
    peaks = [max(float(one.max()), torch.finfo(one.dtype).tiny) for one in pair]
    widest = max(float(one.max() - one.min()) for one in pair)
    return {
        "psnr_published": float(psnr(*pair, data_range=peaks[1])),
        "ssim_published": float(ssim_map(*pair, data_range=max(widest, 1e-300)).mean()),
        "nmse_published": float(nmse(pair[0] / peaks[0], pair[1] / peaks[1])),
    }


def _score(name: str, value: float) -> Score:
    kind = name.removesuffix("_published")
    low, high = {"psnr": (-inf, inf), "ssim": (-1.0, 1.0), "nmse": (0.0, inf)}[kind]
    unit = "dB" if kind == "psnr" else None
    better: Literal["lower", "higher"] = "lower" if kind == "nmse" else "higher"
    if value == inf:
        return Score(name, None, unit, better, low, high, None, "equal to the reference", True)
    return Score(name, value, unit, better, low, high, compared=True)
