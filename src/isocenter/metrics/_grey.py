"""What the metrics of grey 2-D images share: the door, the scale, the chunks and the pooling."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional
from torch import Tensor

from isocenter.errors import UsageError
from isocenter.metrics._pairs import check

__all__ = [
    "average_down",
    "decibels",
    "feature_similarity",
    "pooled",
    "score_grey",
    "similarity",
    "similarity_of_squares",
]

CHUNK_PIXELS = 1 << 15
"""Pixels scored at once: bounds the memory, and keeps the work near the cache."""
FLOOR = 1e-12
"""Weight of a pixel where a saliency map is zero: below rounding unless it is zero everywhere."""
TINY = 1e-24
"""Under a root: keeps the slope at zero finite and the value below rounding."""

Formula = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def score_grey(
    name: str,
    formula: Formula,
    image: Tensor,
    reference: Tensor,
    *,
    data_range: float,
    minimum_side: int,
    mask: Tensor | None = None,
    working_side: int = 1,
) -> Tensor:
    """Check a pair of grey images, bring it to 0 to 255 and score it chunk by chunk.

    Published constants of this family of metrics hold for 8-bit values.

    Args:
        name: How the metric is called in messages.
        formula: Scores (n, 1, H, W), image and reference from 0 to 255, and a mask or None.
        image: (N, 1, H, W).
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units, > 0.
        minimum_side: Shortest side that the formula can work on, pixels.
        mask: Weights of pixels, broadcastable to the image.
        working_side: Side of a square grid that the formula works on besides the image.

    Returns:
        (N,), float32 or the image's wider type.

    Raises:
        UsageError: Shapes differ, more than one channel, not 2-D, too small, or no range.
    """
    check(
        name,
        image,
        reference,
        minimum_side=minimum_side,
        spatial=(2,),
        data_range=data_range,
    )
    if image.shape[1] != 1:
        raise UsageError(f"{name} compares grey images, one channel; got {image.shape[1]} channels")
    kind = torch.promote_types(image.dtype, torch.float32)
    scale = 255 / data_range
    weight = None if mask is None else mask.to(kind).expand(image.shape)
    size = max(1, CHUNK_PIXELS // max(image.shape[2] * image.shape[3], working_side**2))
    scores = [
        formula(
            image[start : start + size].to(kind) * scale,
            reference[start : start + size].to(kind) * scale,
            None if weight is None else weight[start : start + size],
        )
        for start in range(0, len(image), size)
    ]
    return torch.cat(scores) if scores else image.new_zeros(0, dtype=kind)


def similarity(a: Tensor, b: Tensor, constant: float) -> Tensor:
    """(2 a b + c) / (a^2 + b^2 + c): 1 where two features are equal."""
    return (2 * a * b + constant) / (a * a + b * b + constant)


def feature_similarity(
    features: Tensor,
    slopes: Tensor,
    mask: Tensor | None,
    *,
    constants: tuple[float, float],
    power: float = 1.0,
) -> Tensor:
    """Similarity of a feature times that of the gradient, where the feature is strong.

    Args:
        features: Of the images, then of the references, (2 n, 1, h, w).
        slopes: Squared gradients, likewise.
        mask: Weights of the pixels of the images before :func:`average_down`.
        constants: Of the similarity of features and of gradients.
        power: Of the similarity of gradients.

    Returns:
        (n,).
    """
    feature_x, feature_y = features.chunk(2)
    slope_x, slope_y = slopes.chunk(2)
    structure = similarity_of_squares(slope_x, slope_y, constants[1]) ** power
    quality = similarity(feature_x, feature_y, constants[0]) * structure
    weight = torch.maximum(feature_x, feature_y)
    return pooled(quality, weight, None if mask is None else average_down(mask))


def similarity_of_squares(a: Tensor, b: Tensor, constant: float) -> Tensor:
    """Similarity of two magnitudes that are given squared: one root instead of two."""
    return (2 * (a * b).clamp_min(TINY).sqrt() + constant) / (a + b + constant)


def pooled(quality: Tensor, weight: Tensor, mask: Tensor | None) -> Tensor:
    """Mean of a quality map (n, ...) by saliency and mask; NaN where the mask is empty."""
    weight = weight + FLOOR
    if mask is not None:
        weight = weight * mask
    return (quality * weight).flatten(1).sum(1) / weight.flatten(1).sum(1)


def decibels(signal: Tensor, noise: Tensor) -> Tensor:
    """Ratio of two powers in dB; infinite without noise, minus infinite without signal alone."""
    heard = noise > 0
    return torch.where(heard, 10 * torch.log10(signal / torch.where(heard, noise, 1)), float("inf"))


def average_down(images: Tensor, side: int = 256) -> Tensor:
    """Block means of (n, 1, H, W) so that the shorter axis has about ``side`` pixels.

    The factor is the shorter side over ``side``, rounded; what lies beyond the image is zero,
    and an odd block is centred, as the zero-padded "same" convolution of the published codes.
    """
    factor = max(1, math.floor(min(images.shape[2:]) / side + 0.5))
    if factor == 1:
        return images
    before, after = (factor - 1) // 2, factor // 2
    wide = torch.nn.functional.pad(images, [before, after, before, after])
    return torch.nn.functional.avg_pool2d(wide, factor)
