"""Noise of a scan, and its signal over noise in white and grey matter."""

from dataclasses import dataclass

import torch

from isocenter.artifacts._low_field_scan import PURE, slice_axis
from isocenter.data.shapes import Image3, Mask3
from isocenter.data.volume import Volume
from isocenter.measures import find_anatomy
from isocenter.ops.regions import head_mask
from isocenter.ops.scan_noise import air_sigma, tissue_sigma
from isocenter.ops.tissue import TissueMaps

__all__ = ["AIR", "WHITE_MATTER", "Noise", "scan_noise"]

AIR = "the air"
WHITE_MATTER = "differences within white matter"


@dataclass(frozen=True, eq=False)
class Noise:
    """Of one scan; what could not be measured is ``None``."""

    sigma: float | None
    """Standard deviation of one channel's noise, in the scan's units."""
    source: str
    """Where it was found, or why not."""
    snr: tuple[float, float] | None
    """Of white and grey matter."""
    why_no_snr: str | None


def scan_noise(
    scan: Volume,
    *,
    brain: Mask3 | None = None,
    tissue: TissueMaps | None = None,
    axis: int | None = None,
) -> Noise:
    """Noise from the air, else from differences within white matter, else within the head.

    Args:
        scan: Thick slices.
        brain: Where the brain is; found if not given.
        tissue: Tissues on its grid; found if not given.
        axis: Across slices; that of the largest voxel side if not given.

    Raises:
        UsageError: The mask is on another grid.
    """
    axis = slice_axis(scan) if axis is None else axis
    anatomy = find_anatomy(scan, brain=brain, tissue=tissue)
    maps = anatomy.tissue
    sigma: float | None = None
    source = AIR
    if anatomy.air is not None:
        sigma = air_sigma(scan.data[anatomy.air])
    if not sigma and maps is not None:
        sigma = tissue_sigma(scan.data, maps.wm > PURE, axis)
        source = WHITE_MATTER
    if not sigma:
        inside = head_mask(scan.data) if brain is None else brain
        sigma = tissue_sigma(scan.data, inside & (scan.data != 0), axis)
        source = "differences within the " + ("head" if brain is None else "brain")
    if not sigma:
        why = "no noise could be measured: there is no air, and the head is even"
        return Noise(None, why, None, why)
    if maps is None:
        return Noise(sigma, source, None, anatomy.missing["tissue"])
    wm, gm = (_mean(scan.data, share) / sigma for share in (maps.wm, maps.gm))
    return Noise(sigma, source, (wm, gm), None)


def _mean(data: Image3, share: Image3) -> float:
    """Brightness of a tissue where it is pure; weighted by share where it is nowhere."""
    pure = share > PURE
    weights = (pure if bool(pure.any()) else share).to(torch.float64)
    return float((data.double() * weights).sum() / weights.sum())
