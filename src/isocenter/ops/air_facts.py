"""What stands in the air around the head, and how rough the image is inside it."""

import math

import torch
from torch import Tensor

from isocenter.data.shapes import Image3
from isocenter.ops.head_cells import HeadCells
from isocenter.ops.power_spectrum import log_or_floor

__all__ = ["air_facts"]

NEAREST = 3.5
"""mm; nearer cells may hold tissue."""
RINGS = ((0.1, 3.5), (3.5, 7.0), (7.0, 12.0), (12.0, 20.0), (20.0, math.inf))
"""Distances from the head, mm."""
LEVELS = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
FEWEST = 10
EMPTY = 1e-10
"""Mean square below which the air holds nothing."""
PEAKED = 5.0
"""Log kurtosis where the air holds nothing."""
EVERY = 6
"""Slices between those in which the roughness is measured."""
N_WAVES = 3
"""Largest number of spikes told apart."""


def air_facts(data: Image3, cells: HeadCells) -> dict[str, float]:
    """Strength and kind of what fills the air; roughness in the head and in the air.

    Noise has the same Rayleigh distribution everywhere (log kurtosis log 2); the waves of 1, 2 or
    3 equal spikes have log 1, log 1.5, log 1.67; ghosts stand along one axis.  With the number
    of waves known, their strength over the mean of the image is the height of a spike over the
    maximum of the spectrum.

    Args:
        data: Magnitude image (x, y, z).
        cells: Of the same image.
    """
    air = cells.air(NEAREST)
    return {
        **_levels(cells, air),
        **_places(cells, air),
        **_pedestal(cells, air),
        **_roughness(data, cells, air),
    }


def _levels(cells: HeadCells, air: Tensor) -> dict[str, float]:
    square, fourth = cells.square[air], cells.fourth[air]
    levels = torch.quantile(square.sqrt(), torch.tensor(LEVELS, device=square.device))
    filled = float(square.mean()) > EMPTY
    within = float((fourth / square.square().clamp_min(1e-12)).median()) if filled else 0.0
    inside = cells.square[cells.inside].sqrt()
    return {
        "head share": float(cells.inside.float().mean()),
        "head mean": float(inside.mean()),
        "head spread": float(inside.std(unbiased=False)),
        "air rms": log_or_floor(float(square.mean()) ** 0.5),
        "air kurtosis": _log_kurtosis(cells, air),
        "cell kurtosis": within,
        **{f"air {p}": log_or_floor(v) for p, v in zip(LEVELS, levels.tolist(), strict=True)},
    }


def _log_kurtosis(cells: HeadCells, air: Tensor) -> float:
    square, fourth = float(cells.square[air].mean()), float(cells.fourth[air].mean())
    return math.log(fourth / square**2) if square > EMPTY else PEAKED


def _places(cells: HeadCells, air: Tensor) -> dict[str, float]:
    """By distance from the head, and by the axes along which the head lies."""
    facts = {}
    for i, (low, high) in enumerate(RINGS):
        facts[f"ring {i}"] = _rms(cells, (cells.distance > low) & (cells.distance <= high))
    shadow = [cells.inside.any(axis, keepdim=True).expand_as(air) for axis in range(3)]
    for axis in range(3):
        first, second = (shadow[other] for other in range(3) if other != axis)
        facts[f"shadow {axis}"] = _rms(cells, air & shadow[axis] & ~first & ~second)
    facts["shadow none"] = _rms(cells, air & ~shadow[0] & ~shadow[1] & ~shadow[2])
    return facts


def _rms(cells: HeadCells, chosen: Tensor) -> float:
    if int(chosen.sum()) < FEWEST:
        return log_or_floor(0.0)
    return log_or_floor(float(cells.square[chosen].mean()) ** 0.5)


def _pedestal(cells: HeadCells, air: Tensor) -> dict[str, float]:
    """Strength of 1, 2 or 3 equal waves that would fill the air, over the image's mean."""
    floor = float(cells.square[air].mean())
    head = (cells.square - floor).clamp_min(0)[cells.inside].sqrt()
    mean = max(float(head.sum()) / cells.inside.numel(), 1e-6)
    heights = [log_or_floor(math.sqrt(floor / n) / mean) for n in range(1, N_WAVES + 1)]
    # n equal waves have a kurtosis of 2 - 1 / n.
    kurtosis = math.exp(_log_kurtosis(cells, air))
    n_waves = min(N_WAVES, max(1, round(1 / max(2 - kurtosis, 1 / N_WAVES))))
    facts = {f"height of {n}": height for n, height in enumerate(heights, 1)}
    return {**facts, "waves": float(n_waves), "height": heights[n_waves - 1]}


def _roughness(data: Image3, cells: HeadCells, air: Tensor) -> dict[str, float]:
    """Second differences along all axes: mostly noise, as anatomy has little of them."""
    middles = list(range(1, data.shape[2] - 1, EVERY))
    if min(data.shape) < 3:
        return dict.fromkeys(
            ("rough head", "rough head mean", "rough air", "rough air mean"), -14.0
        )
    planes = torch.stack([_second(data[:, :, m - 1 : m + 2], 2)[..., 0] for m in middles], 2)
    rough = _second(_second(planes, 0), 1).abs() / (cells.scale * 6**1.5)
    facts = {}
    for name, where in (("head", cells.inside), ("air", air)):
        here = rough[cells.fine(where)[1:-1, 1:-1][:, :, middles]]
        facts[f"rough {name}"] = log_or_floor(float(here.median())) if len(here) else -14.0
        facts[f"rough {name} mean"] = log_or_floor(float(here.mean())) if len(here) else -14.0
    return facts


def _second(image: Tensor, axis: int) -> Tensor:
    n = image.shape[axis] - 2
    middle, before, after = (image.narrow(axis, start, n) for start in (1, 0, 2))
    return 2 * middle - before - after
