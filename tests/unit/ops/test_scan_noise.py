"""The noise of a scan, found again in air and in tissue."""

from __future__ import annotations

import pytest
import torch

from isocenter.ops.scan_noise import air_sigma, tissue_sigma

SIGMA = 7.0


def noise(seed: int, shape: tuple[int, ...] = (60, 64, 20)) -> torch.Tensor:
    return SIGMA * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_air_of_magnitudes_and_of_signed_values() -> None:
    real, imaginary = noise(0), noise(1)
    assert air_sigma(torch.hypot(real, imaginary).flatten()) == pytest.approx(SIGMA, rel=0.02)
    assert air_sigma(real.flatten() + 3) == pytest.approx(SIGMA, rel=0.02)


def test_a_ghost_in_the_air_hardly_matters() -> None:
    air = torch.hypot(noise(0), noise(1)).flatten()
    air[: air.numel() // 50] += 100
    assert air_sigma(air) == pytest.approx(SIGMA, rel=0.04)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_differences_do_not_see_what_is_linear_in_a_slice(axis: int) -> None:
    shape = (60, 64, 58)
    ramps = [torch.linspace(0, 900, side) for side in shape]
    image = 500 + ramps[0][:, None, None] + ramps[1][:, None] + ramps[2] + noise(2, shape)
    even = torch.zeros(shape, dtype=torch.bool)
    even[10:50, 10:50, 10:50] = True
    image[~even] = 0
    assert tissue_sigma(image, even, axis) == pytest.approx(SIGMA, rel=0.03)


def test_too_little_tissue_says_nothing() -> None:
    even = torch.zeros(60, 64, 20, dtype=torch.bool)
    even[::2] = True
    assert tissue_sigma(noise(3), even, 2) is None
    assert tissue_sigma(noise(3)[:2], even[:2], 2) is None
