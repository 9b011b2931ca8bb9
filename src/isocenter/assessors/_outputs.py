"""What the numbers of the improved HSFNet mean; shared by training and assessment."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from isocenter.artifacts import PRESETS, versions

__all__ = [
    "N_LEVEL_CLASSES",
    "OUTPUTS",
    "PUBLISHED_CLASSES",
    "TYPES",
    "Outputs",
    "half_width",
    "quality_to_target",
    "quality_with_interval",
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


def half_width(fit: Mapping[str, Any], estimate: float) -> float:
    """Half the width of the 90 % interval, by the range in which the estimate lies."""
    width: float = fit["half_widths"][sum(estimate > edge for edge in fit["edges"])]
    return width


def quality_with_interval(
    target: float, fit: Mapping[str, Any]
) -> tuple[float, tuple[float, float]]:
    """Quality and its 90 % interval, 0 to 100, from a calibrated target."""
    width = half_width(fit, target)
    ends = torch.tensor([target - width, target, target + width])
    low, value, high = (100 * target_to_quality(ends)).tolist()
    return value, (low, high)
