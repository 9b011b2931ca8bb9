"""PIQE: the share of an image's busy blocks that look noisy or have a dead edge."""

import torch
from torch import Tensor

from isocenter.metrics._natural_scene import score_alone
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
    "piqe",
]

BETTER, RANGE, UNIT = "lower", (0.0, 100.0), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 16, (2,), False
SOURCE = "doi:10.1109/NCC.2015.7084843"
VALIDATED = (
    "pypiqe, a port of MATLAB's piqe, to 1e-9 on images of 8 bits, once both middle columns of a "
    "block are taken out of its surround; as it is, to 3 of 100."
)

BLOCK, SEGMENT = 16, 6
ACTIVE = 0.1
"""Variance of normalised pixels above which a block counts."""
DEAD = 0.1
"""Deviation below which a piece of a block's edge is without life."""


def piqe(image: Tensor, *, data_range: float, mask: Tensor | None = None) -> Tensor:
    """Perception based image quality evaluator.

    Venkatanath et al., NCC 2015, doi:10.1109/NCC.2015.7084843.  Of the blocks of 16 x 16 pixels
    with structure, one is distorted where six pixels in a row of its edge hardly differ, and
    noisy where its middle columns vary as the rest does; they add 1 - v and v, with v the
    variance of the block's normalised pixels.  Nothing is learned.  Unlike in MATLAB the values
    are not rounded to 8 bits.

    Made for compressed photographs, and of little use on MR slices: little noise makes the value
    better, and so do ghosts and motion.  Blur alone makes it worse throughout.

    Args:
        image: (N, 1, H, W), two sides of at least 16 pixels.
        data_range: Largest possible difference of two values, in the image's units.
        mask: What counts, broadcastable to the image: every image is cropped to its box.

    Returns:
        (N,), from 0 to 100, higher is worse, 100 without any busy block; NaN where the image
        is constant or the box of the mask is too small.

    Raises:
        UsageError: Not grey, not 2-D, or too small.
    """
    return score_alone("PIQE", _piqe, image, data_range=data_range, minimum_side=BLOCK, mask=mask)


def _piqe(images: Tensor) -> Tensor:
    normalised, _ = contrast_normalised(_filled_up(images), edges="nearest")
    blocks = patches(normalised, BLOCK)[:, :, 0]
    variance = blocks.var((-2, -1))
    distorted = _has_dead_edge(blocks) * (1 - variance) + _is_noisy(blocks, variance) * variance
    active = variance > ACTIVE
    total = (distorted * active).sum(1)
    return (100 * (total + 1) / (active.sum(1) + 1)).clamp(0, 100)


def _filled_up(images: Tensor) -> Tensor:
    """Mirrored at the lower and right border, up to whole blocks."""
    for axis in (2, 3):
        missing = -images.shape[axis] % BLOCK
        mirrored = images.narrow(axis, images.shape[axis] - missing, missing).flip(axis)
        images = torch.cat([images, mirrored], axis)
    return images


def _has_dead_edge(blocks: Tensor) -> Tensor:
    sides = [blocks[..., 0, :], blocks[..., -1, :], blocks[..., 0], blocks[..., -1]]
    pieces = torch.stack(sides, -2).unfold(-1, SEGMENT, 1)
    return (pieces.std(-1) < DEAD).any(-1).any(-1)


def _is_noisy(blocks: Tensor, variance: Tensor) -> Tensor:
    middle = slice(BLOCK // 2 - 1, BLOCK // 2 + 1)
    centre = blocks[..., middle].flatten(-2).std(-1)
    around = torch.cat([blocks[..., : middle.start], blocks[..., middle.stop :]], -1)
    ratio = (centre / around.flatten(-2).std(-1)).nan_to_num(0)
    deviation = variance.sqrt()
    return deviation > 2 * (deviation - ratio).abs() / torch.maximum(deviation, ratio)
