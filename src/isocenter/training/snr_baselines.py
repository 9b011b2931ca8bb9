"""What HyS-Net is compared with: tissue SNR of the scan itself, and a plain estimate of noise."""

from torch import Tensor

from isocenter.data.shapes import Image3, Mask3
from isocenter.data.volume import Volume
from isocenter.measures import find_anatomy
from isocenter.measures.snr import snr
from isocenter.ops.regions import head_mask, head_scale

__all__ = ["blind_total_snr", "brightness_over_noise"]

GAUSSIAN_MAD = 0.6744897501960817
"""Median absolute value of a normal distribution of standard deviation 1."""


def blind_total_snr(scan: Volume, brain: Mask3 | None = None) -> float | None:
    """``snr_total`` (``mriqc-0.15``) with the tissues found in the scan itself.

    Args:
        scan: A scan of a head.
        brain: Where the brain is; found in the scan, too, when not given.

    Returns:
        ``None`` when the tissues cannot be told apart.
    """
    scores = snr(find_anatomy(scan, brain=brain), definition="mriqc-0.15")
    return next(score.value for score in scores if score.name == "snr_total")


def brightness_over_noise(data: Image3) -> float:
    """The head's 99th percentile over the noise in its finest diagonal Haar details.

    Donoho, IEEE Trans. Inf. Theory 41(3), 1995, doi:10.1109/18.382009, in three dimensions.

    Args:
        data: Magnitude image (x, y, z), arbitrary units.
    """
    mask = head_mask(data)
    details = _diagonal(data)
    inside = _diagonal(mask.float(), sign=1.0) > 7.5 / 8**0.5
    chosen = details[inside] if bool(inside.any()) else details.flatten()
    sigma = float(chosen.abs().median()) / GAUSSIAN_MAD
    return head_scale(data, mask) / max(sigma, 1e-12)


def _diagonal(data: Tensor, sign: float = -1.0) -> Tensor:
    """Differences (or sums) of neighbours along all three axes, orthonormal."""
    for axis in range(3):
        n = data.shape[axis] // 2 * 2
        even, odd = data.narrow(axis, 0, n).unflatten(axis, (-1, 2)).unbind(axis + 1)
        data = (even + sign * odd) / 2**0.5
    return data
