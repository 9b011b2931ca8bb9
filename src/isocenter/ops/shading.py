"""How unevenly the head is lit, and from where: a smooth field fitted to its brightness."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from isocenter.data.shapes import Image3, Mask3

__all__ = ["N_SHADING_SIZES", "N_SHADING_TERMS", "shading_facts"]

N_SHADING_SIZES = 4
N_SHADING_TERMS = 9
"""x, y, z and their six products of order 2."""
COARSE_SIDE = 36
"""The field is smooth: cells of about a thirty-sixth of a side are enough."""
N_ROUNDS = 6
"""Reweighted fits; tissue unlike the most common one loses its say."""
FEWEST_CELLS = 60


def shading_facts(data: Image3, mask: Mask3) -> tuple[float, ...]:
    """Size of the smooth multiplicative field that explains most of the head's brightness.

    A polynomial of order 2 is fitted to the logarithm of the brightness inside the head, by
    least squares reweighted with Cauchy's function, so that the largest tissue decides.

    Args:
        data: Magnitude image (x, y, z).
        mask: Head.

    Returns:
        Logarithms of the peak-to-peak size (98th to 2nd percentile, in nepers) of the whole
        field, of its linear and of its curved part, and of the spread around it; then the
        field's coefficients of x, y, z, xx, xy, xz, yy, yz, zz in nepers, with the head's
        spread along each axis as the unit of length.  They tell shading that a scanner's coil
        always gives, which is the same from person to person, from shading that is new.
    """
    steps = [max(1, round(side / COARSE_SIDE)) for side in data.shape]
    weight = _blocks(mask.float(), steps)
    bright = _blocks(data * mask, steps) / weight.clamp_min(1e-6)
    kept = (weight > 0.9) & (bright > 0.05 * bright.max())
    if int(kept.sum()) < FEWEST_CELLS:
        return (0.0,) * (N_SHADING_SIZES + N_SHADING_TERMS)
    values = bright[kept].double().log()
    terms = _terms(kept)
    coefficients, spread = _robust_fit(terms, values)
    field = terms[:, 1:] @ coefficients
    linear = terms[:, 1:4] @ coefficients[:3]
    parts = [_size(field), _size(linear), _size(field - linear), spread]
    return (*(math.log(part + 1e-3) for part in parts), *coefficients.tolist())


def _robust_fit(terms: Tensor, values: Tensor) -> tuple[Tensor, float]:
    """Coefficients of all terms but the constant, and the median distance of cells from them."""
    # Begin with the brighter half: it is white matter, or fat, but seldom both at once.
    weight = (values > values.median()).double()
    for _ in range(N_ROUNDS):
        scaled = terms * weight[:, None]
        ridge = 1e-6 * torch.eye(terms.shape[1], dtype=terms.dtype, device=terms.device)
        coefficients = torch.linalg.solve(scaled.T @ terms + ridge, scaled.T @ values)
        residual = values - terms @ coefficients
        scale = 1.5 * residual[weight > 0.1].abs().median().clamp_min(1e-3)
        weight = 1 / (1 + (residual / scale) ** 2)
    return coefficients[1:], float(scale)


def _terms(kept: Tensor) -> Tensor:
    """1, x, y, z and their products of order 2 at the cells, centred, head size 1."""
    at = kept.nonzero().double()
    at = (at - at.mean(0)) / at.std(0).clamp_min(1e-6)
    products = [at[:, i] * at[:, j] for i in range(3) for j in range(i, 3)]
    curved = torch.stack(products, 1)
    ones = torch.ones(len(at), 1, dtype=at.dtype, device=at.device)
    return torch.cat([ones, at, curved - curved.mean(0)], 1)


def _size(field: Tensor) -> float:
    low, high = field.quantile(torch.tensor([0.02, 0.98], dtype=field.dtype, device=field.device))
    return float(high - low)


def _blocks(image: Tensor, steps: list[int]) -> Tensor:
    return F.avg_pool3d(image[None, None], steps, steps, ceil_mode=True)[0, 0]
