"""How strong the noise of a magnitude scan is."""

import math

import torch

from isocenter.data.shapes import Image3, Mask3

__all__ = ["air_sigma", "tissue_sigma"]

MEDIAN_OF_NORMAL = 0.6744897501960817
"""Median of the absolute value of a standard normal variable."""
MEDIAN_OF_RAYLEIGH = math.sqrt(2 * math.log(2))
SIGNED = 0.2
"""Share of negative air from which values are not magnitudes."""
GAIN = 6.0
"""Standard deviation of white noise after the second differences along both axes of a slice."""
FEWEST = 200


def air_sigma(air: torch.Tensor) -> float:
    """Standard deviation of one channel's noise, from air.

    The median of magnitudes over that of a Rayleigh distribution; where a fifth of the values
    or more is negative, the median absolute deviation over that of a normal one.

    Args:
        air: Values of voxels that hold noise alone, arbitrary units, at least one.
    """
    values = air.double()
    if float((values < 0).double().mean()) > SIGNED:
        return float((values - values.median()).abs().median()) / MEDIAN_OF_NORMAL
    return float(values.median()) / MEDIAN_OF_RAYLEIGH


def tissue_sigma(data: Image3, even: Mask3, axis: int) -> float | None:
    """Standard deviation of the noise, from second differences within one tissue.

    Differences along both axes of a slice take out what is linear there (Immerkaer, CVIU 64(2),
    1996, doi:10.1006/cviu.1996.0060); their median absolute value ignores edges.  Noise that was
    smoothed or interpolated within slices is underestimated.

    Args:
        data: Image (x, y, z), arbitrary units.
        even: Where one tissue is alone.
        axis: Across slices.

    Returns:
        In units of ``data``; ``None`` where fewer than 200 voxels have all eight neighbours of
        their slice in ``even``.
    """
    image = data.double().movedim(axis, 0)
    inside = even.movedim(axis, 0)
    for dim in (1, 2):
        if image.shape[dim] < 3:
            return None
        image = 2 * _at(image, dim, 1) - _at(image, dim, 0) - _at(image, dim, 2)
        inside = _at(inside, dim, 1) & _at(inside, dim, 0) & _at(inside, dim, 2)
    found = image[inside]
    if found.numel() < FEWEST:
        return None
    return float(found.abs().median()) / (MEDIAN_OF_NORMAL * GAIN)


def _at(data: torch.Tensor, dim: int, start: int) -> torch.Tensor:
    return data.narrow(dim, start, data.shape[dim] - 2)
