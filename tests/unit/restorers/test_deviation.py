"""From the variance of samples to the deviation of their mean."""

from __future__ import annotations

import pytest
import torch

from isocenter.data.random import generator
from isocenter.restorers._deviation import Calibration

WIDTH, A, C = 2.0, 3.0, 0.5
KNOWN = Calibration(WIDTH, A, C)


def test_an_even_variance_is_scaled_and_the_noise_added() -> None:
    variance, everywhere = torch.full((1, 30, 40), 0.04), torch.ones(1, 30, 40, dtype=torch.bool)
    found = KNOWN(variance, 0.2, 5.0, everywhere)
    assert torch.allclose(found, torch.tensor((4 * A * 0.04 + C * 0.04) ** 0.5), rtol=1e-4)
    full = KNOWN(variance, 0.2, 1.0, everywhere)
    assert torch.allclose(full, torch.tensor((C * 0.04) ** 0.5), rtol=1e-4)


def test_the_brightness_of_all_is_that_of_the_deviation() -> None:
    variance = torch.rand(1, 20, 20, generator=generator(1))
    half = torch.arange(20).expand(1, 20, 20) < 10
    bright, dark = KNOWN(100 * variance, 2.0, 4.0, half), KNOWN(variance, 0.2, 4.0, half)
    assert torch.allclose(bright, 10 * dark, rtol=1e-4)


def test_nothing_is_lost_at_the_edge_of_what_coils_see() -> None:
    half = torch.arange(40).expand(1, 40, 40) < 20
    found = Calibration(WIDTH, 1.0, 0.0)(half.float(), 0.0, 2.0, half)
    assert torch.allclose(found, half.float(), atol=1e-4)


def test_a_variance_known_by_one_draw_is_found_by_its_neighbours() -> None:
    """Smoothed squares of draws are nearer to a slowly changing variance than the draws are."""
    truth = 1 + torch.linspace(0, 3, 96).expand(1, 96, 96)
    draws = truth * torch.randn(1, 96, 96, generator=generator(2)).square()
    everywhere = torch.ones(1, 96, 96, dtype=torch.bool)
    found = Calibration(WIDTH, 1.0, 0.0)(draws, 0.0, 2.0, everywhere) ** 2
    assert float((found - truth).abs().mean()) < 0.3 * float((draws - truth).abs().mean())
    assert float(found.mean() / truth.mean()) == pytest.approx(1, abs=0.05)
