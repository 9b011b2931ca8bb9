"""Three models at once: HSFNet names artifacts, MIQANet and HSFNet share the quality, HyS-Net
estimates the SNR.

The quality is a weighted mean of two on the scale on which both were trained, the weight and the
width of the interval found on validation people.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from isocenter.assessors import hsfnet, hysnet, miqanet
from isocenter.assessors._outputs import quality_to_target, quality_with_interval
from isocenter.data.checkpoint import Checkpoint

__all__ = ["Ensemble", "combined", "shipped"]


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The shipped models and what joins them."""

    hsfnet: hsfnet.Assessor
    miqanet: miqanet.Assessor
    hysnet: hysnet.Assessor
    checkpoint: Checkpoint
    """Without weights; its calibration joins two qualities."""

    @property
    def device(self) -> str:
        """Where the networks are."""
        return self.hsfnet.device

    @property
    def sha256(self) -> str:
        """Hash of the hashes of all files."""
        parts = (self.hsfnet, self.miqanet, self.hysnet, self)
        whole = "".join(part.checkpoint.sha256 or "" for part in parts)
        return hashlib.sha256(whole.encode()).hexdigest()


@cache
def shipped(device: str) -> Ensemble:
    """The models that come with the package.

    Raises:
        BadCheckpoint: Weights are missing or damaged.
    """
    numbers = Path(__file__).parents[1] / "weights" / "ensemble.safetensors"
    return Ensemble(
        hsfnet.shipped(device),
        miqanet.shipped(device),
        hysnet.shipped(device),
        Checkpoint.load(numbers),
    )


def combined(
    first: float, second: float, calibration: Mapping[str, Any]
) -> tuple[float, tuple[float, float]]:
    """One quality and its 90 % interval from those of HSFNet and of MIQANet, all 0 to 100.

    Args:
        first: HSFNet's.
        second: MIQANet's.
        calibration: ``weight`` of the first; ``slope`` and ``offset`` of the mean; ``edges`` and
            ``half_widths`` of the interval; all on the scale of
            :func:`~isocenter.assessors._outputs.quality_to_target`.
    """
    one, other = quality_to_target(torch.tensor([first, second]) / 100).tolist()
    weight = float(calibration["weight"])
    mean = weight * one + (1 - weight) * other
    target = calibration["slope"] * mean + calibration["offset"]
    return quality_with_interval(target, calibration)
