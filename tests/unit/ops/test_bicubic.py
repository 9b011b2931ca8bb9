"""Bicubic resampling against its definition, place by place."""

from __future__ import annotations

import math

import pytest
import torch

from isocenter.data.random import generator
from isocenter.ops.bicubic import bicubic_operator, resize


def cubic(x: float) -> float:
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def slow_line(line: list[float], scale: float) -> list[float]:
    """Every new place as a sum over all pixels of the line, mirrored without end."""
    side, stretch = len(line), max(1.0, 1 / scale)
    mirrored = line + line[::-1]
    out = []
    for place in range(math.ceil(side * scale)):
        centre = (place + 0.5) / scale - 0.5
        reach = range(math.floor(centre - 3 * stretch), math.ceil(centre + 3 * stretch) + 1)
        weights = [cubic((at - centre) / stretch) for at in reach]
        total = sum(w * mirrored[at % (2 * side)] for w, at in zip(weights, reach, strict=True))
        out.append(total / sum(weights))
    return out


@pytest.mark.parametrize("scale", [0.5, 0.3, 0.9, 1.0, 1.7, 2.0])
@pytest.mark.parametrize("side", [5, 16, 23])
def test_a_line_is_its_definition(side: int, scale: float) -> None:
    line = torch.rand(side, generator=generator(side), dtype=torch.float64)
    expected = torch.tensor(slow_line(line.tolist(), scale), dtype=torch.float64)
    assert torch.allclose(line @ bicubic_operator(side, scale), expected, atol=1e-12)


def test_the_half_kernel_is_the_known_one() -> None:
    """Eight weights of the cubic kernel at odd eighths of its support, over their sum."""
    weights = bicubic_operator(32, 0.5)[:, 8]
    taps = torch.tensor([-3, -9, 29, 111, 111, 29, -9, -3], dtype=torch.float64) / 256
    assert torch.allclose(weights[13:21], taps)
    assert weights.count_nonzero() == 8


def test_axes_are_resized_one_by_one() -> None:
    image = torch.rand(2, 1, 12, 9, generator=generator(1))
    half = resize(image, 0.5)
    assert half.shape == (2, 1, 6, 5)
    rows = (image.double().movedim(2, -1) @ bicubic_operator(12, 0.5)).movedim(-1, 2)
    assert torch.allclose(half.double(), rows @ bicubic_operator(9, 0.5), atol=1e-6)


def test_a_constant_stays_and_a_line_stays_straight_inside() -> None:
    ramp = torch.arange(40, dtype=torch.float64).expand(1, 1, 40, 40)
    half = resize(ramp, 0.5)[0, 0, 10]
    assert torch.allclose(half[3:-3], 2 * torch.arange(20).double()[3:-3] + 0.5)
    assert torch.allclose(resize(torch.ones(1, 1, 7, 9), 0.5), torch.ones(1, 1, 4, 5))
