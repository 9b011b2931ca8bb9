"""BRISQUE: a regression on the statistics of locally normalised pixels."""

from pathlib import Path

import torch
from torch import Tensor

from isocenter.metrics._natural_scene import load_fitted, score_alone
from isocenter.ops.bicubic import resize
from isocenter.ops.natural_scene import (
    contrast_normalised,
    fit_asymmetric,
    fit_symmetric,
    neighbour_products,
)

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "brisque",
    "scene_features",
]

BETTER, RANGE, UNIT = "lower", (0.0, 100.0), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 16, (2,), False
SOURCE = "doi:10.1109/TIP.2012.2214050"
VALIDATED = (
    "The 36 features against piq, to 1e-3; the regression is fitted to simulated artifacts of MR "
    "slices, so values differ from those of photographs."
)


def brisque(
    image: Tensor, *, data_range: float, mask: Tensor | None = None, model: Path | None = None
) -> Tensor:
    """Blind image spatial quality evaluator.

    Mittal, Moorthy and Bovik, IEEE TIP 21(12), 2012, doi:10.1109/TIP.2012.2214050: 18 numbers at
    two scales and a support-vector regression with a Gaussian kernel.  The shipped regression
    estimates 100 (1 - SSIM) of brain slices against their undistorted ones; it predicts the
    logit, so that no score leaves its range.  What is unlike all that it learned from gets a
    middling score.

    Air around a head is no natural scene and drives the score: give a mask, or crop.

    Args:
        image: (N, 1, H, W), two sides of at least 16 pixels.
        data_range: Largest possible difference of two values, in the image's units; the shipped
            regression knows slices whose head has its 99th percentile there.
        mask: What counts, broadcastable to the image: every image is cropped to its box.
        model: File like the shipped one, whose fitted arrays are ``mean`` and ``scale`` of the
            features (36,), ``support`` (S, 36) in those units, ``weight`` (S,), and ``offset``
            and ``gamma`` (); the shipped one when not given.

    Returns:
        (N,), from 0 to 100, higher is worse; NaN where the image is constant or has no structure
        to fit to, or the box of the mask is too small.

    Raises:
        UsageError: Not grey, not 2-D, or too small.
        BadCheckpoint: ``model`` holds no regression for these features.
    """
    fitted = load_fitted("brisque", model)
    mean, scale, support, weight, offset, gamma = (
        fitted.fitted(name).double().to(image.device)
        for name in ("mean", "scale", "support", "weight", "offset", "gamma")
    )

    def regression(images: Tensor) -> Tensor:
        inputs = (scene_features(images) - mean) / scale
        near = torch.exp(-gamma * _squared_distances(inputs, support))
        return 100 * torch.sigmoid(near @ weight + offset)

    return score_alone(
        "BRISQUE", regression, image, data_range=data_range, minimum_side=MINIMUM_SIDE, mask=mask
    )


def scene_features(images: Tensor) -> Tensor:
    """The 36 numbers of every image: 18 at full and 18 at half size.

    Args:
        images: (n, 1, H, W), float64, from 0 to 255.

    Returns:
        (n, 36), in the order of the authors' code.
    """
    return torch.cat([_features(images), _features(resize(images, 0.5))], -1)


def _features(images: Tensor) -> Tensor:
    normalised, _ = contrast_normalised(images, edges="zero")
    shape, variance = fit_symmetric(normalised.flatten(1))
    pairs = fit_asymmetric(neighbour_products(normalised[:, 0]).flatten(2))
    products = [pairs.shape, pairs.mean, pairs.left.square(), pairs.right.square()]
    return torch.cat([torch.stack([shape, variance], -1), torch.stack(products, -1).flatten(1)], -1)


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Between all rows, without the rounding of a difference of squares."""
    return (a[:, None] - b).square().sum(-1)
