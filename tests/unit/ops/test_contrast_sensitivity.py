"""The contrast sensitivity against its formula, wave by wave."""

from __future__ import annotations

import math

import pytest
import torch

from isocenter.ops.contrast_sensitivity import low_pass_sensitivity, sensitivity


def slow(down: float, across: float, pixels_per_degree: float) -> float:
    angle = math.atan2(down, across)
    frequency = pixels_per_degree * math.hypot(down, across)
    frequency /= 0.15 * math.cos(4 * angle) + 0.85
    if frequency < 7.8909:
        return 0.9809
    return 2.6 * (0.0192 + 0.114 * frequency) * math.exp(-((0.114 * frequency) ** 1.1))


@pytest.mark.parametrize(("height", "width"), [(12, 10), (9, 13)])
def test_every_wave_has_the_published_sensitivity(height: int, width: int) -> None:
    found = low_pass_sensitivity(height, width, 64.0, torch.float64, torch.device("cpu"))
    for i in range(height):
        down = (i if i < (height + 1) // 2 else i - height) / height
        for j in range(width // 2 + 1):
            assert float(found[i, j]) == pytest.approx(slow(abs(down), j / width, 64.0), rel=1e-12)


def test_the_peak_lies_at_eight_cycles_per_degree() -> None:
    frequency = torch.linspace(0, 40, 4001, dtype=torch.float64)
    gain = sensitivity(frequency)
    assert float(frequency[gain.argmax()]) == pytest.approx(7.9, abs=0.1)
    assert float(gain.max()) == pytest.approx(0.981, abs=1e-3)
