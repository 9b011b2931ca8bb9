"""What a scan's 3-D spectrum tells of damage: spikes, noise floor, sharpness, echoes."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from isocenter.ops.power_spectrum import N_SHELLS, PowerSpectrum, log_or_floor

__all__ = ["BANDS", "LAGS", "spectrum_facts"]

N_PEAKS = 5
CANDIDATES = 24
"""Highest points looked at; neighbours of a peak, and its mirror image, are no further peaks."""
INNERMOST = 0.05
"""Share of Nyquist below which anatomy itself stands out."""
CONE = 0.9
"""Cosine of the half angle of the cone around an axis."""
EDGES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.57)
"""Frequencies between which sharpness is measured, 1/mm; the first two bins are the reference."""
BANDS = ((0.08, 0.25), (0.25, 0.5), (0.5, 0.85))
"""Lines of one axis, as shares of Nyquist, in which echoes are looked for."""
LAGS = ((1.2, 2.5), (2.5, 4.0), (4.0, 6.0), (6.0, 9.0), (9.0, 13.0), (13.0, 20.0))
"""Displacements of an echo, mm."""
UNRELATED = 25.0
"""mm from which the autocorrelation is chance."""


def spectrum_facts(
    spectrum: PowerSpectrum, spacing: Sequence[float], scale: float
) -> dict[str, float]:
    """Facts from the power of the 3-D spectrum.

    ``peak i`` and ``peak i height``: log power of the highest points over their shell, and log
    amplitude over that of the zero frequency (spikes).  ``shell i``: log power over that of white
    noise as strong as the head (noise, blur).  ``cone a i``: log power near axis a from one
    frequency to the next, over the lowest (blur, whatever its direction).  ``echo a b i``: log
    height of the autocorrelation at a distance across axis a, from the lines of band b alone;
    lines acquired in two positions show everything twice (motion).

    Args:
        spectrum: Of the magnitude image.
        spacing: Voxel size, mm.
        scale: Brightness of the head, in the image's units.
    """
    return {
        **_peaks(spectrum),
        **_shells(spectrum, scale),
        **_cones(spectrum, spacing),
        **_echoes(spectrum, spacing),
    }


def _peaks(spectrum: PowerSpectrum) -> dict[str, float]:
    above = torch.where(spectrum.radius > INNERMOST, spectrum.above, -99.0)
    top = torch.topk(above.flatten(), min(CANDIDATES, above.numel()))
    places = torch.stack(torch.unravel_index(top.indices, above.shape), 1).tolist()
    peaks: list[tuple[list[int], float]] = []
    for place, height in zip(places, top.values.tolist(), strict=True):
        signed = [
            p if p <= side // 2 else p - side for p, side in zip(place, spectrum.shape, strict=True)
        ]
        if height > 0 and not any(_beside(signed, other) for other, _ in peaks):
            peaks.append((signed, height))
    largest = math.sqrt(float(spectrum.power[0, 0, 0])) or 1.0
    facts = {}
    for i in range(N_PEAKS):
        facts[f"peak {i}"] = peaks[i][1] if i < len(peaks) else 0.0
        power = float(spectrum.power[tuple(peaks[i][0])]) if i < len(peaks) else 0.0
        facts[f"peak {i} height"] = log_or_floor(math.sqrt(power) / largest)
    return facts


def _beside(place: list[int], other: list[int]) -> bool:
    """Within two points of the other one or of its mirror image."""
    near = max(abs(a - b) for a, b in zip(place, other, strict=True))
    mirrored = max(abs(a + b) for a, b in zip(place, other, strict=True))
    return min(near, mirrored) <= 2


def _shells(spectrum: PowerSpectrum, scale: float) -> dict[str, float]:
    unit = math.log(math.prod(spectrum.shape)) + 2 * math.log(scale)
    levels = spectrum.levels.tolist()
    return {f"shell {i}": levels[i] - unit for i in range(3, N_SHELLS + 1)}


def _cones(spectrum: PowerSpectrum, spacing: Sequence[float]) -> dict[str, float]:
    along = [spectrum.frequency(axis) / 2 / spacing[axis] for axis in range(3)]
    total = (along[0].square() + along[1].square() + along[2].square()).sqrt()
    log_power, edges = spectrum.log_power(), torch.tensor(EDGES)
    facts = {}
    for axis in range(3):
        cone = along[axis].abs() > CONE * total
        bins = torch.bucketize(total[cone], edges)
        counts = torch.bincount(bins, minlength=len(EDGES) + 1)
        sums = torch.bincount(bins, weights=log_power[cone], minlength=len(EDGES) + 1)
        means = sums / counts.clamp_min(1)
        reference = float(means[1:3].mean())
        last = 0.0
        for i in range(2, len(EDGES)):
            # Beyond the Nyquist frequency of thick slices there is nothing: go on as before.
            last = float(means[i]) - reference if counts[i] else last
            facts[f"cone {axis} {i}"] = last
    return facts


def _echoes(spectrum: PowerSpectrum, spacing: Sequence[float]) -> dict[str, float]:
    white = torch.where(spectrum.radius > INNERMOST, spectrum.above, 0.0).clamp(-6, 6)
    facts = {}
    for axis in range(3):
        frequency = spectrum.frequency(axis).flatten().abs()
        for band, (low, high) in enumerate(BANDS):
            lines = ((frequency >= low) & (frequency < high)).nonzero()[:, 0]
            heights = _echo(white.index_select(axis, lines), axis, spectrum.shape, spacing)
            for name, height in zip((*range(len(LAGS)), "chance"), heights, strict=True):
                facts[f"echo {axis} {band} {name}"] = height
    return facts


def _echo(
    white: Tensor, axis: int, shape: tuple[int, int, int], spacing: Sequence[float]
) -> list[float]:
    """Log autocorrelation by distance across ``axis``; then its log spread far away."""
    others = [other for other in range(3) if other != axis]
    if white.shape[axis] == 0:
        return [log_or_floor(0.0)] * (len(LAGS) + 1)
    power = white.exp().clamp_max(20.0).mean(axis)
    sides = [shape[other] for other in others]
    # Of the last axis only half is there.
    correlation = torch.fft.ifft2(power).real if axis == 2 else torch.fft.irfft2(power, s=sides)
    lags = [torch.fft.fftfreq(n) * n * spacing[o] for n, o in zip(sides, others, strict=True)]
    distance = (lags[0].square()[:, None] + lags[1].square()).sqrt()
    share = correlation.abs() / correlation[0, 0].abs().clamp_min(1e-12)
    near = [share[(distance >= low) & (distance < high)] for low, high in LAGS]
    far = share[distance > UNRELATED]
    heights = [log_or_floor(float(s.max())) if len(s) else log_or_floor(0.0) for s in near]
    spread = float(far.square().mean().sqrt()) if len(far) else 0.0
    return [*heights, log_or_floor(spread)]
