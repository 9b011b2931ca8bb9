"""NIQE: how far the statistics of an image's patches are from those of undistorted slices."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isocenter.data.checkpoint import Checkpoint
from isocenter.metrics._natural_scene import (
    Pristine,
    load_fitted,
    mean_and_covariance,
    pack,
    patch_statistics,
    score_alone,
    sharp_patches,
)
from isocenter.ops.bicubic import resize
from isocenter.ops.natural_scene import contrast_normalised, patches

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "fit",
    "niqe",
    "patch_features",
]

BETTER, RANGE, UNIT = "lower", (0.0, float("inf")), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 48, (2,), False
SOURCE = "doi:10.1109/LSP.2012.2227726"
VALIDATED = (
    "Features against a plain loop over patches and pixels, and the distributions against piq's, "
    "to 1e-3; the model is fitted to MR slices, so values differ from those of photographs."
)

PATCH = 48
"""Side in pixels; the authors take 96, which hardly fits into a head."""


def niqe(
    image: Tensor, *, data_range: float, mask: Tensor | None = None, model: Path | None = None
) -> Tensor:
    """Natural image quality evaluator.

    Mittal, Soundararajan and Bovik, IEEE SPL 20(3), 2013, doi:10.1109/LSP.2012.2227726: 18
    numbers of every patch, at two scales, and equation 10, the distance of their Gaussian from
    that of undistorted images.  The shipped model is of brain slices in three planes, with
    patches of 48 pixels instead of 96; :func:`fit` makes another.

    Air around a head is no natural scene and drives the score: give a mask, or crop.

    Args:
        image: (N, 1, H, W), two sides of at least one patch.
        data_range: Largest possible difference of two values, in the image's units; the shipped
            model knows slices whose head has its 99th percentile there.
        mask: What counts, broadcastable to the image: every image is cropped to its box.
        model: File of :func:`fit`; the shipped one when not given.

    Returns:
        (N,), from 0, higher is worse; NaN where the image is constant, no patch has structure,
        or the box of the mask is smaller than a patch.

    Raises:
        UsageError: Not grey, not 2-D, or smaller than a patch.
        BadCheckpoint: ``model`` is no file of :func:`fit`.
    """
    fitted = load_fitted("niqe", model)
    patch, pristine = int(fitted.config["patch"]), Pristine.stored(fitted)

    def distance(images: Tensor) -> Tensor:
        mean, covariance = mean_and_covariance(patch_features(images, patch)[0])
        return pristine.distances(mean[:, None], covariance)[:, 0]

    return score_alone(
        "NIQE", distance, image, data_range=data_range, minimum_side=patch, mask=mask
    )


def fit(
    images: Iterable[Tensor],
    *,
    data_range: float,
    patch: int = PATCH,
    card: Mapping[str, Any] | None = None,
) -> Checkpoint:
    """The Gaussian of undistorted images, of their sharp patches alone.

    Args:
        images: Each (N, 1, H, W), cropped to what counts; sizes may differ.
        data_range: As in :func:`niqe`, for all of them.
        patch: Side of a patch in pixels, even.
        card: What the images are and their licences, kept in the file.

    Returns:
        For :meth:`~isocenter.data.checkpoint.Checkpoint.save`.

    Raises:
        UsageError: Fewer sharp patches than twice the number of features.
    """
    found = sharp_patches(images, patch_features, data_range=data_range, patch=patch)
    pristine = Pristine.of(found)
    arrays = {"mean": pristine.mean, "covariance": pristine.covariance}
    return pack("niqe", {"patch": patch}, arrays, card)


def patch_features(images: Tensor, patch: int) -> tuple[Tensor, Tensor]:
    """Features and mean local deviation of every patch.

    Args:
        images: (n, 1, H, W), float64, from 0 to 255.
        patch: Side in pixels, even; what exceeds whole patches is cut off.

    Returns:
        (n, P, 36), 18 at full and 18 at half size, and (n, P).
    """
    height, width = (side - side % patch for side in images.shape[2:])
    images = images[:, :, :height, :width]
    fine, deviation = contrast_normalised(images, edges="nearest")
    coarse, _ = contrast_normalised(resize(images, 0.5), edges="nearest")
    features = [
        patch_statistics(patches(fine, patch)),
        patch_statistics(patches(coarse, patch // 2)),
    ]
    return torch.cat(features, -1), patches(deviation, patch).mean((2, 3, 4))
