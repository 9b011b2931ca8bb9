"""The assessor of HyS-Net: the total SNR of a scan, from patches of it."""

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from isocenter.assessors._outputs import half_width
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.preprocess import Patches, preprocess_from_json
from isocenter.data.volume import Volume
from isocenter.errors import BadCheckpoint
from isocenter.nets.hysnet import Config, build
from isocenter.ops.patches import looked_at

__all__ = ["Assessor", "Judgement", "Patch", "load", "shipped"]

MOST = 64
"""Patches of a scan, evenly chosen where there are more: bounds the time."""
AT_ONCE = 8
"""Patches of one forward pass: bounds the memory."""
N_WORST = 3


@dataclass(frozen=True)
class Patch:
    """A part of the scan, and what is said of it alone."""

    start: tuple[int, int, int]
    """First voxel along x, y, z."""
    shape: tuple[int, int, int]
    """Voxels along x, y, z; what lies beyond the scan is cut off."""
    snr: float


@dataclass(frozen=True)
class Judgement:
    """What the assessor says of a scan."""

    snr: float
    """Total SNR as MRIQC defines it: median over standard deviation, mean over three tissues."""
    interval: tuple[float, float] | None
    """90 % prediction interval; ``None`` when the weights were never calibrated."""
    spread: float
    """Standard deviation between patches; 0 of a single one."""
    n_patches: int
    worst: tuple[Patch, ...]
    """The patches of the lowest SNR, worst first."""


class Assessor:
    """A trained network with its calibration; stateless between scans."""

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        preprocess = preprocess_from_json(dict(checkpoint.preprocess))
        if checkpoint.net != "hysnet" or not isinstance(preprocess, Patches):
            raise BadCheckpoint(
                f"these weights are for another assessor ({checkpoint.net}, {preprocess.kind}); "
                f"train with the recipe 'hysnet'"
            )
        net = build(checkpoint.configured(Config))
        checkpoint.load_into(net)
        self.net = net.eval().to(device)
        self.preprocess, self.checkpoint, self.device = preprocess, checkpoint, device

    @torch.inference_mode()
    def judge(self, scan: Volume) -> Judgement:
        """Mean over at most 64 patches, evenly spread over the grid's patches in the head.

        Args:
            scan: Magnitude image in RAS+.
        """
        seen = looked_at(scan.data, self.preprocess, most=MOST)
        parts = seen.values.split(AT_ONCE)
        raw = torch.cat([self.net(part.to(self.device))[:, 0].float().cpu() for part in parts])
        mean, said = float(raw.mean()), self._calibrated(raw)
        snr = float(self._calibrated(raw.mean()))
        return Judgement(
            snr=snr,
            interval=self._interval(mean, snr),
            spread=float(said.std()) if len(said) > 1 else 0.0,
            n_patches=len(said),
            worst=self._worst(said, seen.starts, scan),
        )

    def _calibrated(self, raw: Tensor) -> Tensor:
        """SNR from what the network says; its logarithm lies on a line."""
        fit = self.checkpoint.calibration.get("snr")
        return raw if fit is None else (fit["offset"] + fit["slope"] * raw).exp()

    def _interval(self, raw: float, snr: float) -> tuple[float, float] | None:
        fit = self.checkpoint.calibration.get("snr")
        if fit is None:
            return None
        factor = math.exp(half_width(fit, raw))
        return snr / factor, snr * factor

    def _worst(self, said: Tensor, starts: Tensor, scan: Volume) -> tuple[Patch, ...]:
        found = []
        for i in said.argsort()[:N_WORST].tolist():
            x, y, z = starts[i].tolist()
            found.append(Patch((x, y, z), self._extent((x, y, z), scan.shape), float(said[i])))
        return tuple(found)

    def _extent(
        self, start: tuple[int, int, int], shape: tuple[int, int, int]
    ) -> tuple[int, int, int]:
        """Voxels of a patch that lie in the scan."""
        if self.preprocess.n_dims == 2:
            return shape[0], shape[1], 1
        side = self.preprocess.side
        x, y, z = (min(side, n - first) for first, n in zip(start, shape, strict=True))
        return x, y, z


def load(path: Path | str, device: str) -> Assessor:
    """The assessor of a checkpoint file.

    Raises:
        BadCheckpoint: Missing, damaged, or of another kind.
    """
    return Assessor(Checkpoint.load(path), device)


@cache
def shipped(device: str) -> Assessor:
    """The assessor that comes with the package."""
    return load(Path(__file__).parents[1] / "weights" / "hysnet.safetensors", device)
