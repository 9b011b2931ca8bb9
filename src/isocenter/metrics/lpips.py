"""LPIPS: distance of two images in the features of a trained network."""

from pathlib import Path

from torch import Tensor

from isocenter.metrics._perceptual import MINIMUM_SIDE, score_features

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "NEEDS_WEIGHTS",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "lpips",
]

BETTER, RANGE, UNIT = "lower", (0.0, float("inf")), None
SPATIAL, DIFFERENTIABLE, NEEDS_WEIGHTS = (2,), True, True
SOURCE = "doi:10.1109/CVPR.2018.00068"
VALIDATED = "piq 0.8 and a second form with the same random weights; needs the published weights."


def lpips(
    image: Tensor,
    reference: Tensor,
    *,
    data_range: float,
    mask: Tensor | None = None,
    weights: Path | str | None = None,
) -> Tensor:
    """Learned perceptual image patch similarity: 0 is best.

    Zhang et al., CVPR 2018, doi:10.1109/CVPR.2018.00068: the features of five stages of AlexNet
    or VGG-16 are scaled to length 1 place by place; their squared differences are weighted by
    channel, averaged over places and added.

    The networks were trained on photographs from 0 to 1.  A grey image is divided by
    ``data_range`` and copied to red, green and blue; nothing is shifted or cut off.

    Args:
        image: (N, 1, H, W), two sides of at least 32 pixels.
        reference: Same shape and units; 0 is black.
        data_range: Largest possible difference of two values, in the image's units: white.
        mask: Refused: the score comes from the whole image.
        weights: File that ``tools/convert_perceptual.py`` has made.  Nothing is downloaded.

    Returns:
        (N,), from 0 (equal images) to about 1.

    Raises:
        UsageError: Shapes differ, not grey, not 2-D, or too small; or a mask.
        BadCheckpoint: No weights are given, or others.
    """
    return score_features(
        "lpips", image, reference, data_range=data_range, mask=mask, weights=weights
    )
