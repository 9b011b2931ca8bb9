"""DSS: similarity of the subbands of the cosine transform of blocks."""

import torch
from torch import Tensor

from isocenter.metrics._cosines import SIDE, transform
from isocenter.metrics._grey import score_grey
from isocenter.metrics._pairs import refuse_mask
from isocenter.ops.windows import gaussian, slide

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "dss",
]

BETTER, RANGE, UNIT = "higher", (0.0, 1.0), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 32, (2,), False
SOURCE = "doi:10.1109/ICIP.2015.7351172"
VALIDATED = "piq 0.8 on grey images, which agrees with the authors' MATLAB code."

DC_CONSTANT, AC_CONSTANT = 1000.0, 300.0
WEIGHT_SIGMA, WEIGHT_FLOOR = 1.55, 0.01
"""Subbands matter less the higher their frequency, and not at all below the floor."""
WINDOW_SIGMA = 1.5
WORST = 0.05
"""Share of the worst places that decides the score of a subband."""


def dss(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """Discrete cosine transform subband similarity.

    Balanov et al., ICIP 2015, doi:10.1109/ICIP.2015.7351172: in every subband of the transform of
    8 x 8 blocks, (2 s_x s_y + C) / (s_x^2 + s_y^2 + C) of the local deviations, for the mean also
    (s_xy + C) / (s_x s_y + C), averaged over the worst twentieth of the places; then the mean of
    the subbands, low frequencies first.  What does not fill a block at the right and lower border
    is left out.

    Args:
        image: (N, 1, H, W), two sides of at least 32 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Refused: the score comes from blocks.

    Returns:
        (N,), from 0 to 1; 1 for equal images.

    Raises:
        UsageError: Shapes differ, not grey, not 2-D, or too small; or a mask.
    """
    refuse_mask("DSS", mask)
    return score_grey(
        "DSS",
        _dss,
        image,
        reference,
        data_range=data_range,
        minimum_side=MINIMUM_SIDE,
    )


def _dss(x: Tensor, y: Tensor, _: Tensor | None) -> Tensor:
    weights = _weights(x)
    rows, columns = torch.nonzero(weights, as_tuple=True)
    bands_x, bands_y = (_blocks(values)[:, rows, columns] for values in (x, y))
    moments = torch.stack([bands_x, bands_y, bands_x**2, bands_y**2, bands_x * bands_y])
    mean_x, mean_y, xx, yy, xy = _smooth(moments)
    var_x, var_y = (xx - mean_x**2).clamp_min(0), (yy - mean_y**2).clamp_min(0)
    both = (var_x * var_y).sqrt()
    constant = torch.full_like(rows, AC_CONSTANT, dtype=x.dtype)
    constant[0] = DC_CONSTANT
    constant = constant[:, None, None]
    scores = _worst((2 * both + constant) / (var_x + var_y + constant))
    covariance = (xy - mean_x * mean_y)[:, :1]
    structure = _worst((covariance + DC_CONSTANT) / (both[:, :1] + DC_CONSTANT))
    scores = torch.cat([scores[:, :1] * structure, scores[:, 1:]], 1)
    share = weights[rows, columns]
    return (scores * share / share.sum()).sum(1)


def _weights(like: Tensor) -> Tensor:
    """Gaussian of the frequency (8, 8); 0 where it would be negligible."""
    at = torch.arange(SIDE, dtype=like.dtype, device=like.device) + 0.5
    weights = torch.exp(-(at[:, None] ** 2 + at**2) / (2 * WEIGHT_SIGMA**2))
    return torch.where(weights < WEIGHT_FLOOR, 0.0, weights)


def _blocks(values: Tensor) -> Tensor:
    """Orthonormal cosine transform of blocks: (n, 8, 8, rows, columns)."""
    blocks = values[:, 0].unfold(1, SIDE, SIDE).unfold(2, SIDE, SIDE)
    return transform(blocks).permute(0, 3, 4, 1, 2)


def _smooth(stack: Tensor) -> Tensor:
    """Gaussian window of 3 x 3 over the last two axes, zeros beyond the border."""
    planes = slide(stack.flatten(0, 1), gaussian(3, WINDOW_SIGMA), edges="zero")
    smooth: Tensor = planes.unflatten(0, stack.shape[:2])
    return smooth


def _worst(quality: Tensor) -> Tensor:
    """Mean of the lowest values of every subband (n, bands, rows, columns)."""
    places = quality.flatten(2)
    n_worst = max(1, round(WORST * places.shape[2]))
    return places.topk(n_worst, 2, largest=False).values.mean(2)
