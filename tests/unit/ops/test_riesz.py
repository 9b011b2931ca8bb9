"""Riesz transform: its identities."""

from __future__ import annotations

import pytest
import torch

from isocenter.data.random import generator
from isocenter.ops.riesz import riesz_features


@pytest.mark.parametrize("sides", [(16, 20), (17, 21)])
def test_second_orders_sum_to_minus_the_image(sides: tuple[int, int]) -> None:
    images = torch.rand(2, *sides, generator=generator(1), dtype=torch.float64)
    _, _, xx, _, yy = riesz_features(images).unbind(1)
    assert torch.allclose(xx + yy, images.mean((1, 2), keepdim=True) - images)


def test_first_orders_hold_the_energy() -> None:
    images = torch.rand(2, 17, 21, generator=generator(2), dtype=torch.float64)
    x, y = riesz_features(images)[:, :2].unbind(1)
    energy = (images - images.mean((1, 2), keepdim=True)).square().sum((1, 2))
    assert torch.allclose((x**2 + y**2).sum((1, 2)), energy)


def test_a_cosine_becomes_a_sine() -> None:
    turn = 2 * torch.pi * 3 * torch.arange(32, dtype=torch.float64) / 32
    x, y = riesz_features(turn.cos().expand(1, 32, 32))[0, :2]
    assert torch.allclose(x, turn.sin().expand(32, 32))
    assert torch.allclose(y, torch.zeros_like(y), atol=1e-12)
