"""What the metrics without a reference share: the door, the pristine Gaussian, its files."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isocenter.data.checkpoint import Checkpoint
from isocenter.errors import BadCheckpoint, UsageError
from isocenter.metrics._pairs import check
from isocenter.ops.natural_scene import (
    Asymmetric,
    fit_asymmetric,
    neighbour_products,
    width_over_deviation,
)

__all__ = [
    "Pristine",
    "load_fitted",
    "mean_and_covariance",
    "mean_and_deviations",
    "pack",
    "patch_statistics",
    "score_alone",
    "shapes_and_widths",
    "sharp_patches",
]

CHUNK_PIXELS = 1 << 16
"""Pixels scored at once: many maps of them stay in the cache."""
SHARPNESS = 0.75
"""Share of the sharpest patch's deviation from which a patch is learned from."""

Formula = Callable[[Tensor], Tensor]
Features = Callable[[Tensor, int], tuple[Tensor, Tensor]]


def score_alone(
    name: str,
    formula: Formula,
    image: Tensor,
    *,
    data_range: float,
    minimum_side: int,
    mask: Tensor | None,
) -> Tensor:
    """Check grey images, bring them to 0 to 255 in float64 and score them.

    Args:
        name: How the metric is called in messages.
        formula: Scores (n, 1, H, W) as (n,).
        image: (N, 1, H, W).
        data_range: Largest possible difference of two values, in the image's units, > 0.
        minimum_side: Shortest side that the formula can work on, pixels.
        mask: Broadcastable to the image; each image is cropped to the box of its own mask.

    Returns:
        (N,), float32 or the image's wider type; NaN where the image is constant or its box
        is too small.

    Raises:
        UsageError: More than one channel, not 2-D, too small, or no range.
    """
    check(name, image, image, minimum_side=minimum_side, spatial=(2,), data_range=data_range)
    if image.shape[1] != 1:
        raise UsageError(f"{name} judges grey images, one channel; got {image.shape[1]} channels")
    kind = torch.promote_types(image.dtype, torch.float32)
    if len(image) == 0:
        return image.new_zeros(0, dtype=kind)
    scores = [
        _score(formula, part.to(torch.float64) * (255 / data_range), minimum_side)
        for part in _parts(image.detach(), mask)
    ]
    return torch.cat(scores).to(kind)


def _parts(image: Tensor, mask: Tensor | None) -> Iterator[Tensor]:
    if mask is None:
        yield from image.split(max(1, CHUNK_PIXELS // (image.shape[2] * image.shape[3])))
        return
    for one, inside in zip(image, mask.expand(image.shape) != 0, strict=True):
        rows, columns = inside[0].any(1).nonzero(), inside[0].any(0).nonzero()
        if len(rows) == 0:
            yield one[None, :, :0, :0]
        else:
            yield one[None, :, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _score(formula: Formula, images: Tensor, minimum_side: int) -> Tensor:
    undefined = images.new_full((len(images),), torch.nan)
    if min(images.shape[2:]) < minimum_side:
        return undefined
    constant = images.amax((1, 2, 3)) == images.amin((1, 2, 3))
    return torch.where(constant, undefined, formula(images))


@dataclass(frozen=True, eq=False)
class Pristine:
    """Gaussian of the features of undistorted patches."""

    mean: Tensor
    """(k,), float64."""
    covariance: Tensor
    """(k, k), float64."""

    @classmethod
    def stored(cls, checkpoint: Checkpoint) -> "Pristine":
        """The fitted arrays of a file."""
        parts = (checkpoint.fitted(name).double() for name in ("mean", "covariance"))
        return cls(*parts)

    @classmethod
    def of(cls, features: Tensor) -> "Pristine":
        """Of patches (P, k); those with a feature that is not finite are left out.

        Raises:
            UsageError: Too few patches for a covariance that can be inverted.
        """
        features = features[features.isfinite().all(-1)].double()
        needed = 2 * features.shape[-1]
        if len(features) < needed:
            raise UsageError(
                f"a model of {features.shape[-1]} features needs {needed} sharp patches; "
                f"got {len(features)}: give more images"
            )
        return cls(features.mean(0), torch.cov(features.T))

    def distances(self, features: Tensor, covariance: Tensor) -> Tensor:
        """Mahalanobis distances from the mean by the average of both covariances.

        Args:
            features: (n, P, k).
            covariance: Of the image's own patches, (n, k, k).

        Returns:
            (n, P).
        """
        apart = features - self.mean.to(features)
        shared = (self.covariance.to(features) + covariance) / 2
        scaled = torch.linalg.solve(shared, apart.mT).mT
        squared: Tensor = (apart * scaled).sum(-1)
        return squared.clamp_min(0).sqrt()


def mean_and_covariance(features: Tensor) -> tuple[Tensor, Tensor]:
    """Of the patches of every image, those with a feature that is not finite left out.

    Args:
        features: (n, P, k).

    Returns:
        Means (n, k), NaN where no patch counts, and covariances (n, k, k), zero for a single one.
    """
    mean, deviations, _ = mean_and_deviations(features)
    return mean, deviations.mT @ deviations


def mean_and_deviations(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of the patches of every image, those with a feature that is not finite left out.

    Args:
        features: (n, P, k).

    Returns:
        Means (n, k), NaN where no patch counts; deviations from them (n, P, k), whose products
        add up to the covariance, zero for patches that do not count; and which do, (n, P).
    """
    counted = features.isfinite().all(-1)
    filled = torch.where(counted[..., None], features, 0)
    count = counted.sum(1)
    mean = filled.sum(1) / count[:, None]
    centred = torch.where(counted[..., None], features - mean.nan_to_num()[:, None], 0)
    return mean, centred / (count - 1).clamp_min(1).sqrt()[:, None, None], counted


def sharp_patches(
    images: Iterable[Tensor], features: Features, *, data_range: float, patch: int
) -> Tensor:
    """Features (P, k) of the patches that are sharp beside the sharpest of their image.

    Args:
        images: Each (N, 1, H, W); sizes may differ.
        features: Of images from 0 to 255 and the side of a patch: (n, P, k), and the mean local
            deviation (n, P).
        data_range: Of all images, in their units.
        patch: Side of a patch in pixels.
    """
    found = []
    for stack in images:
        for one in stack.double() * (255 / data_range):
            numbers, sharpness = (part[0] for part in features(one[None], patch))
            found.append(numbers[sharpness > SHARPNESS * sharpness.amax()])
    return torch.cat(found)


def pack(
    name: str,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    card: Mapping[str, Any] | None,
) -> Checkpoint:
    """A model of pristine patches as a file that :func:`load_fitted` reads."""
    return Checkpoint(
        net=name,
        config=config,
        preprocess={},
        outputs={name: {"better": "lower", "range": [0.0, None]}},
        calibration={},
        card=dict(card or {}),
        tensors={f"fitted.{part}": values.float() for part, values in tensors.items()},
    )


def patch_statistics(squares: Tensor) -> Tensor:
    """Shape and width of normalised pixels, and all of their products' distributions.

    Args:
        squares: (n, P, 1, side, side).

    Returns:
        (n, P, 18).
    """
    products = fit_asymmetric(neighbour_products(squares[:, :, 0]).flatten(3))
    scale = width_over_deviation(products.shape)
    pairs = [products.shape, products.mean, products.left * scale, products.right * scale]
    pixels = shapes_and_widths(fit_asymmetric(squares.flatten(3)))
    return torch.cat([pixels, torch.stack(pairs, -1).flatten(2)], -1)


def shapes_and_widths(found: Asymmetric) -> Tensor:
    """Shape and mean width of every map's distribution in every patch.

    Args:
        found: Four of (n, P, C).

    Returns:
        (n, P, 2 C).
    """
    widths = (found.left + found.right) / 2 * width_over_deviation(found.shape)
    return torch.stack([found.shape, widths], -1).flatten(2)


def load_fitted(name: str, model: Path | None) -> Checkpoint:
    """The fitted numbers of a metric, shipped or of the user's own file.

    Raises:
        BadCheckpoint: Missing, damaged, or fitted for another metric.
    """
    path = model or Path(__file__).parents[1] / "weights" / f"{name}.safetensors"
    found = _load(path, path.stat().st_mtime_ns if path.exists() else 0)
    if found.net != name:
        raise BadCheckpoint(f"{model} was fitted for {found.net!r}; give a model of {name!r}")
    return found


@lru_cache(maxsize=8)
def _load(path: Path, _changed: int) -> Checkpoint:
    return Checkpoint.load(path)
