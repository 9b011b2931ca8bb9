"""Blocks of 8 x 8 cosine coefficients and how well the eye sees each."""

import math

import torch
from torch import Tensor

SIDE = 8
SENSITIVITY = 25.73509
"""Over the table's steps it gives the contrast sensitivity that the authors publish."""
STEPS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Luminance quantisation of JPEG: ITU-T T.81, table K.1."""


def blocks(image: Tensor) -> Tensor:
    """Whole 8 x 8 blocks of (N, C, x, y) as (N, blocks, 8, 8); what is over is left out."""
    cut = image.unfold(2, SIDE, SIDE).unfold(3, SIDE, SIDE)
    return cut.flatten(1, 3)


def transform(block: Tensor) -> Tensor:
    """Orthonormal discrete cosine transform (type II) of the last two axes."""
    at = torch.arange(SIDE, dtype=torch.float64)
    matrix = torch.cos(math.pi / SIDE * (at + 0.5) * at[:, None]) * math.sqrt(2 / SIDE)
    matrix[0] /= math.sqrt(2)
    matrix = matrix.to(block)
    return matrix @ block @ matrix.T


def steps(like: Tensor) -> Tensor:
    """The table (8, 8), of the type and on the device of ``like``."""
    return torch.tensor(STEPS).to(like)


def peak_ratio(error: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of coefficient errors (N, blocks, 8, 8) at range 255."""
    seen = error * SENSITIVITY / steps(error)
    return 10 * torch.log10(255**2 / (seen**2).flatten(1).mean(1))
