"""A small head-like scan for the batteries: bright shell, grey inside, a dark cavity, air."""

from __future__ import annotations

import numpy as np
import torch

from isocenter.data.volume import Volume

SHAPES = [(24, 22, 20), (17, 31, 9)]
FLAT = (26, 24, 1)


def head(shape: tuple[int, int, int], spacing: tuple[float, float, float] = (1, 1.5, 2)) -> Volume:
    # A single slice goes through the middle, where linspace would give the edge.
    axes = [torch.linspace(-1.25, 1.25, side) if side > 1 else torch.zeros(1) for side in shape]
    grids = torch.meshgrid(*axes, indexing="ij")
    radius = torch.stack([grid.square() for grid in grids]).sum(0).sqrt()
    texture = 20 * torch.sin(9 * grids[0]) * torch.cos(7 * grids[1])
    inside = 400 + texture + 500 * (radius > 0.8) - 300 * (radius < 0.3)
    return Volume(inside * (radius < 1), np.diag([*spacing, 1.0]), contrast="T1w")
