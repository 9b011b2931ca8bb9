"""The assessor of MIQANet: the quality of a scan and of its slices, without naming artifacts."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from isocenter.assessors._outputs import (
    quality_to_target,
    quality_with_interval,
    target_to_quality,
)
from isocenter.assessors._pictures import judge_slices
from isocenter.assessors.hsfnet import ENOUGH, PLANES, places
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.preprocess import Slabs, preprocess_from_json
from isocenter.data.scores import Plane
from isocenter.data.volume import Volume
from isocenter.errors import BadCheckpoint
from isocenter.nets.miqanet import Config, build
from isocenter.ops.slabs import SHARE, find_head, take_slabs

__all__ = ["Assessor", "Judgement", "SliceQuality", "load", "shipped"]

N_WORST = 3
"""Slices that are named."""


@dataclass(frozen=True)
class SliceQuality:
    """One slice that was looked at."""

    plane: Plane
    index: int
    """Along the plane's axis of the RAS+ volume, from 0."""
    quality: float
    """0 to 100."""


@dataclass(frozen=True)
class Judgement:
    """What the assessor says."""

    quality: float
    """0 to 100, mean of the slices, calibrated."""
    interval: tuple[float, float] | None
    """90 % prediction interval of the quality; ``None`` for weights that are not calibrated."""
    slices: tuple[SliceQuality, ...]
    """Every slice that was looked at, plane by plane, in order."""
    worst: tuple[SliceQuality, ...]
    """The slices of lowest quality, worst first."""


class Assessor:
    """A trained network; stateless between scans.

    Raises:
        BadCheckpoint: The weights are of another network or of another version.
    """

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        if checkpoint.net != "miqanet":
            raise BadCheckpoint(
                f"these weights are of the network {checkpoint.net!r}, not of MIQANet; "
                f"train with the recipe 'miqanet'"
            )
        preprocess = preprocess_from_json(dict(checkpoint.preprocess))
        config = checkpoint.configured(Config)
        if not isinstance(preprocess, Slabs) or preprocess.side < config.side:
            raise BadCheckpoint(
                "these weights are not for slices of scans; train with the recipe 'miqanet'"
            )
        net = build(config)
        checkpoint.load_into(net)
        self.net = net.eval().to(device)
        self.config, self.preprocess = config, preprocess
        self.checkpoint, self.device = checkpoint, device

    def judge(self, scan: Volume) -> Judgement:
        """Look at two dozen slices of a scan."""
        head = find_head(scan.data)
        where = places(scan, head, self.preprocess)
        batch = take_slabs(scan.data, scan.spacing, head, where, self.preprocess)
        # Slices at the rim of the head say nothing, unless there are no others.
        shown = batch.facts[:, SHARE] > ENOUGH
        shown = shown if bool(shown.any()) else torch.ones_like(shown)
        middle = batch.slabs[shown, self.preprocess.n_slices // 2]
        quality = target_to_quality(judge_slices(self.net, middle, self.config))
        seen = [place for place, here in zip(where, shown.tolist(), strict=True) if here]
        slices = tuple(
            SliceQuality(PLANES[axis], index, 100 * value)
            for (axis, index), value in zip(seen, quality.tolist(), strict=True)
        )
        value, interval = self._calibrated(quality.mean())
        worst = tuple(sorted(slices, key=lambda one: one.quality)[:N_WORST])
        return Judgement(value, interval, slices, worst)

    def _calibrated(self, quality: Tensor) -> tuple[float, tuple[float, float] | None]:
        """Quality of the scan and its 90 % interval, 0 to 100."""
        fit = self.checkpoint.calibration.get("quality")
        if fit is None:
            return 100 * float(quality), None
        target = fit["slope"] * quality_to_target(quality) + fit["offset"]
        return quality_with_interval(float(target), fit)


def load(path: Path | str, device: str) -> Assessor:
    """The assessor of a checkpoint file.

    Raises:
        BadCheckpoint: Missing, damaged, or of another kind.
    """
    return Assessor(Checkpoint.load(path), device)


@cache
def shipped(device: str) -> Assessor:
    """The assessor that comes with the package."""
    return load(Path(__file__).parents[1] / "weights" / "miqanet.safetensors", device)
