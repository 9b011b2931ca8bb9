"""DISTS: similarity of structure and texture in the features of a trained network."""

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
    "dists",
]

BETTER, RANGE, UNIT = "lower", (0.0, 2.0), None
SPATIAL, DIFFERENTIABLE, NEEDS_WEIGHTS = (2,), True, True
SOURCE = "doi:10.1109/TPAMI.2020.3045810"
VALIDATED = "piq 0.8 with the same random weights; needs the published weights."


def dists(
    image: Tensor,
    reference: Tensor,
    *,
    data_range: float,
    mask: Tensor | None = None,
    weights: Path | str | None = None,
) -> Tensor:
    """Deep image structure and texture similarity: 0 is best.

    Ding et al., IEEE TPAMI 44(5), 2022, doi:10.1109/TPAMI.2020.3045810: one less the weighted sum
    of the similarities of means and of covariances of the image and of the features of five
    stages of VGG-16, whose pooling is a smooth root of mean squares.  An image is scored at its
    own size; the authors bring larger ones to 256 pixels first.

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
        "dists", image, reference, data_range=data_range, mask=mask, weights=weights
    )
