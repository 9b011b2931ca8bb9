"""What the numbers of the improved HSFNet mean; shared by training and assessment."""

import torch
from torch import Tensor

from isocenter.artifacts import PRESETS, versions

__all__ = [
    "N_LEVEL_CLASSES",
    "OUTPUTS",
    "PUBLISHED_CLASSES",
    "TYPES",
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
}
"""Groups of outputs, in order, and how many numbers each has."""
QUALITY_FLOOR = 0.003
"""1 - SSIM below which two qualities count as equal."""


def split_outputs(outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(..., n_outputs) -> level logits (..., 6, 5), class logits (..., 21), quality (...)."""
    levels, published, quality = outputs.split(list(OUTPUTS.values()), dim=-1)
    return levels.unflatten(-1, (len(TYPES), N_LEVEL_CLASSES)), published, quality[..., 0]


def quality_to_target(quality: Tensor) -> Tensor:
    """SSIM -> the scale that the network learns: even steps from hardly to badly damaged."""
    return -torch.log((1 - quality).clamp_min(0) + QUALITY_FLOOR)


def target_to_quality(target: Tensor) -> Tensor:
    """Inverse of :func:`quality_to_target`, clamped to [0, 1]."""
    return (1 - (torch.exp(-target) - QUALITY_FLOOR)).clamp(0, 1)
