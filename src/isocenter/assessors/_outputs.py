"""What the numbers of the improved HSFNet mean; shared by training and assessment."""

from typing import NamedTuple

import torch
from torch import Tensor

from isocenter.artifacts import PRESETS, versions

__all__ = [
    "N_LEVEL_CLASSES",
    "OUTPUTS",
    "PUBLISHED_CLASSES",
    "TYPES",
    "Outputs",
    "quality_to_target",
    "split_outputs",
    "target_to_quality",
]

TYPES = PRESETS["physical"]
"""Artifacts that the network names, in the order of its outputs."""
PUBLISHED_CLASSES = (*versions("hsfnet-2025"), ("pristine", 0))
"""The 21 classes of the published benchmark, in its order."""
N_LEVEL_CLASSES = 5
"""Absent, and levels 1 to 4."""
OUTPUTS = {
    "levels": len(TYPES) * N_LEVEL_CLASSES,
    "published": len(PUBLISHED_CLASSES),
    "quality": 1,
    "alone": len(TYPES),
}
"""Groups of outputs, in order, and how many numbers each has.

``alone`` is the quality if the scan has this artifact and no other: what a given artifact does
to the quality is learned apart from which artifact it is.
"""
QUALITY_FLOOR = 0.003
"""1 - SSIM below which two qualities count as equal."""


class Outputs(NamedTuple):
    """The network's numbers by group."""

    levels: Tensor
    """Logits of absent and levels 1 to 4, (..., 6, 5)."""
    published: Tensor
    """Class logits, (..., 21)."""
    quality: Tensor
    """(...), on the scale of :func:`quality_to_target`."""
    alone: Tensor
    """(..., 6), same scale."""


def split_outputs(outputs: Tensor) -> Outputs:
    """(..., n_outputs) to its groups."""
    levels, published, quality, alone = outputs.split(list(OUTPUTS.values()), dim=-1)
    by_type = levels.unflatten(-1, (len(TYPES), N_LEVEL_CLASSES))
    return Outputs(by_type, published, quality[..., 0], alone)


def quality_to_target(quality: Tensor) -> Tensor:
    """SSIM -> the scale that the network learns: even steps from hardly to badly damaged."""
    return -torch.log((1 - quality).clamp_min(0) + QUALITY_FLOOR)


def target_to_quality(target: Tensor) -> Tensor:
    """Inverse of :func:`quality_to_target`, clamped to [0, 1]."""
    return (1 - (torch.exp(-target) - QUALITY_FLOOR)).clamp(0, 1)
