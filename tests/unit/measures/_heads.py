"""A head of balls whose tissues, noise and air are known."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from isocenter.data.volume import Volume
from isocenter.measures import Anatomy, find_anatomy
from isocenter.ops.tissue import TissueMaps

SIDE = 64
MEANS = {"csf": 300.0, "gm": 700.0, "wm": 1000.0}
SIGMAS = {"csf": 20.0, "gm": 40.0, "wm": 30.0}
AIR_SIGMA = 10.0
RAYLEIGH = math.sqrt((4 - math.pi) / 2)
AIR_MEASURES = ("cnr", "fber", "qi_1", "qi_2", "snrd_wm", "snrd_total", "summary_bg_mean")


def radius() -> Tensor:
    axis = torch.arange(SIDE) - (SIDE - 1) / 2
    return (axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2).sqrt()


HEAD = radius() < 24
BRAIN = radius() < 18


def tissues() -> TissueMaps:
    """Three layers of the brain, one above the other."""
    height = (torch.arange(SIDE) - (SIDE - 1) / 2).expand(SIDE, SIDE, SIDE)
    layers = (height < -6, (height >= -6) & (height < 4), height >= 4)
    csf, gm, wm = ((BRAIN & layer).float() for layer in layers)
    return TissueMaps(csf, gm, wm, torch.ones(SIDE, SIDE, SIDE))


def noise(seed: int) -> Tensor:
    return torch.randn(SIDE, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def image() -> Tensor:
    """Normal tissues in a dull skull, in Rayleigh noise."""
    maps = tissues()
    made = torch.hypot(noise(0), noise(1)) * AIR_SIGMA
    made = torch.where(HEAD, 200 + 5 * noise(2), made)
    for name, mean in MEANS.items():
        made = torch.where(getattr(maps, name) > 0, mean + SIGMAS[name] * noise(3), made)
    return made


def volume(data: Tensor | None = None, spacing: float = 1.0) -> Volume:
    data = image() if data is None else data
    return Volume(data, np.diag([spacing] * 3 + [1.0]), "T1w")


def anatomy(data: Tensor | None = None, *, spacing: float = 1.0, **given: object) -> Anatomy:
    parts = {"head": HEAD, "brain": BRAIN, "tissue": tissues(), **given}
    return find_anatomy(volume(data, spacing), **parts)  # type: ignore[arg-type]
