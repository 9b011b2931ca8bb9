"""IW-SSIM: structural similarity weighted by information content, in 2-D."""

from torch import Tensor

from isocenter.metrics._information import MINIMUM_SIDE, WEIGHTS, score_pyramids, weighted_mean
from isocenter.metrics.ssim import components

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "iw_ssim",
]

BETTER, RANGE, UNIT = "higher", (0.0, 1.0), None
SPATIAL, DIFFERENTIABLE = (2,), True
SOURCE = "doi:10.1109/TIP.2010.2092435"
VALIDATED = "piq on sides that halve four times, to 1e-8."


def iw_ssim(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """SSIM of the bands of a Laplacian pyramid, each place weighted by what the eye can learn.

    Wang and Li, IEEE TIP 20(5), 2011, doi:10.1109/TIP.2010.2092435: the weight is the
    mutual information of the images and their noisy percepts under a Gaussian scale mixture.
    Channels are measured apart and averaged.

    Args:
        image: (N, C, x, y), at least 161 pixels along both axes.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: None; another is refused.

    Returns:
        (N,), from 0 to 1; 1 for equal images; where the reference holds no information, as a
        constant does, every place weighs the same.

    Raises:
        UsageError: Shapes differ, three spatial axes, an axis is too short, or there is a mask.
    """
    return score_pyramids("IW-SSIM", _iw_ssim, image, reference, data_range=data_range, mask=mask)


def _iw_ssim(own: list[Tensor], true: list[Tensor], weights: list[Tensor | None]) -> Tensor:
    value = own[0].new_ones(own[0].shape[:2])
    for scale, exponent in enumerate(WEIGHTS):
        luminance, structure = components(own[scale], true[scale], data_range=255, edges="valid")
        if scale == len(WEIGHTS) - 1:
            structure = luminance * structure
        similarity = weighted_mean(structure, weights[scale])
        value = value * similarity.abs() ** (exponent / sum(WEIGHTS))
    return value.mean(1)
