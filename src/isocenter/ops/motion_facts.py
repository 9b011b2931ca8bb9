"""How far the head's outline reaches, and how k-space lines differ: what movement leaves.

A head that moved while outer lines were acquired stands beside itself: not in the position of
the inner lines, but as far away as it moved, and spread along the phase-encoding axis alone.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from isocenter.data.shapes import Image3
from isocenter.ops.power_spectrum import PowerSpectrum, log_or_floor

__all__ = ["motion_facts"]

SHARES = (3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 1e-6)
"""Mean squares of a row, over that of the brightest rows, at which the outline is drawn."""
OUTLINE = 0.1
"""The same for the outline proper."""
BEATS = (0.0, 0.03, 0.08, 0.15, 0.25, 0.35, 0.45, 0.51)
"""Frequencies, cycles per voxel, between which the squared signal outside is measured."""
FEWEST_ROWS = 20
NOTHING = log_or_floor(0.0, 1e-9)
FEWEST_LINES = 16


def motion_facts(
    data: Image3, spacing: Sequence[float], scale: float, spectrum: PowerSpectrum
) -> dict[str, float]:
    """Facts for each axis, taken as the phase-encoding one.

    ``reach a i``: mm by which the outline, seen along axis a, grows when ever fainter rows
    count as head.  ``beat a i``: log power of the squared signal in rows just outside, whose
    bandwidth is the number of lines acquired in one position.  ``outside a``: log mean square
    there.  ``lines a ...``: how unevenly the power falls from line to line.

    Args:
        data: Magnitude image (x, y, z).
        spacing: Voxel size, mm.
        scale: Brightness of the head, in the image's units.
        spectrum: Of the image.
    """
    square = (data / scale).square()
    facts = {}
    for axis in range(3):
        facts.update(_outline(square, axis, spacing))
        facts.update(_lines(spectrum, axis))
    return facts


def _outline(square: Image3, axis: int, spacing: Sequence[float]) -> dict[str, float]:
    rows = square.mean(axis)
    pixel = math.prod(spacing[other] for other in range(3) if other != axis)
    top = max(float(torch.quantile(_thinned(rows), 0.95)), 1e-12)
    head = rows > OUTLINE * top
    area = float(head.sum()) * pixel
    length = 2 * math.sqrt(math.pi * max(area, pixel))
    facts = {
        f"reach {axis} {i}": (float((rows > share * top).sum()) * pixel - area) / length
        for i, share in enumerate(SHARES)
    }
    around = _grown(head, 8) & ~_grown(head, 2) & (rows > 1e-8 * top)
    return {**facts, **_beats(square.movedim(axis, -1)[around], top, axis)}


def _beats(rows: Tensor, top: float, axis: int) -> dict[str, float]:
    names = [f"beat {axis} {i}" for i in range(len(BEATS) - 1)]
    if len(rows) < FEWEST_ROWS:
        return {**dict.fromkeys(names, NOTHING), f"outside {axis}": NOTHING}
    even = rows / (rows.mean(1, keepdim=True) + 1e-12)
    power = torch.fft.rfft(even).abs().square().mean(0)
    frequency = torch.arange(len(power)) / rows.shape[1]
    facts = {}
    for name, low, high in zip(names, BEATS[:-1], BEATS[1:], strict=True):
        here = power[(frequency > low) & (frequency <= high)]
        share = float(here.mean() / power[0]) if len(here) else 0.0
        facts[name] = log_or_floor(share, 1e-9)
    facts[f"outside {axis}"] = log_or_floor(float(rows.mean()) / top, 1e-9)
    return facts


def _lines(spectrum: PowerSpectrum, axis: int) -> dict[str, float]:
    """How the log power of the lines leaves a smooth curve: spread, slow part, ends, step."""
    others = [other for other in range(3) if other != axis]
    names = [f"lines {axis} {what}" for what in ("spread", "slow", "least", "most", "step")]
    power = spectrum.power.sum(others)[1 : spectrum.shape[axis] // 2]
    share = np.linspace(0, 1, len(power))
    kept = (share > 0.04) & (share < 0.9)
    if kept.sum() < FEWEST_LINES:
        return dict.fromkeys(names, 0.0)
    log_power = (power + 1e-12 * power.max() + 1e-30).log().double().cpu().numpy()[kept]
    curve = np.polynomial.Polynomial.fit(share[kept], log_power, 5)
    left = log_power - curve(share[kept])
    slow = np.convolve(left, np.ones(5) / 5, "valid")
    steps = np.convolve(left, np.r_[np.ones(4), -np.ones(4)] / 4, "valid")
    spreads = [log_or_floor(float(part.std())) for part in (left, slow)]
    ends = [float(left.min()), float(left.max()), float(np.abs(steps).max())]
    return dict(zip(names, [*spreads, *ends], strict=True))


def _grown(mask: Tensor, pixels: int) -> Tensor:
    wide = F.max_pool2d(mask.float()[None, None], 2 * pixels + 1, 1, pixels)
    return wide[0, 0] > 0.5


def _thinned(values: Tensor) -> Tensor:
    """At most about a hundred thousand of the values."""
    flat = values.flatten()
    return flat[:: max(1, len(flat) // 100_000)]
