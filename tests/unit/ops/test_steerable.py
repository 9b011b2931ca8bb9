"""Steerable pyramid: lossless, of constant energy, and selective."""

from __future__ import annotations

import math

import pytest
import torch

from isocenter.data.random import generator
from isocenter.ops.steerable import reconstruct, steerable_bands, steerable_pyramid

SIDES = [(64, 64), (65, 90), (37, 53), (50, 34)]


@pytest.mark.parametrize("sides", SIDES, ids=str)
@pytest.mark.parametrize("orientations", [2, 3, 4, 6, 8])
def test_nothing_is_lost(sides: tuple[int, int], orientations: int) -> None:
    images = torch.rand(2, *sides, generator=generator(1), dtype=torch.float64)
    pyramid = steerable_pyramid(images, levels=3, orientations=orientations)
    assert torch.allclose(reconstruct(pyramid), images, atol=1e-13)
    parts = [pyramid.high, pyramid.low, *(band.real for band in pyramid.bands)]
    assert float(sum(part.square().sum() for part in parts)) == pytest.approx(
        float(images.square().sum())
    )


def test_scales_are_halves() -> None:
    pyramid = steerable_pyramid(torch.zeros(1, 65, 40), levels=3, orientations=4)
    assert [tuple(band.shape) for band in pyramid.bands] == [
        (1, 4, 65, 40),
        (1, 4, 33, 20),
        (1, 4, 17, 10),
    ]
    assert tuple(pyramid.low.shape) == (1, 9, 5)


@pytest.mark.parametrize("direction", range(4))
def test_a_wave_lands_in_its_direction(direction: int) -> None:
    at = torch.arange(64, dtype=torch.float64)
    down, across = [(0, 16), (12, 12), (16, 0), (12, -12)][direction]
    wave = torch.cos(2 * math.pi / 64 * (down * at[:, None] + across * at))
    pyramid = steerable_pyramid(wave[None], levels=2, orientations=4)
    energy = pyramid.bands[0].abs().square().sum((0, 2, 3))
    assert int(energy.argmax()) == direction
    assert float(energy[(direction + 2) % 4]) < 1e-9 * float(energy.max())


def test_the_absolute_value_of_a_wave_is_flat() -> None:
    """The imaginary part is the quadrature: together they are an envelope."""
    at = torch.arange(64, dtype=torch.float64)
    wave = torch.cos(2 * math.pi / 64 * 16 * at).expand(1, 64, 64)
    envelope = steerable_pyramid(wave, levels=1, orientations=4).bands[0][0, 0].abs()
    assert torch.allclose(envelope, envelope.mean().expand_as(envelope))
    assert float(envelope.mean()) > 0.5


def test_single_precision_stays_single() -> None:
    pyramid = steerable_pyramid(torch.rand(1, 32, 32), levels=2, orientations=3)
    assert pyramid.high.dtype == pyramid.low.dtype == torch.float32
    assert pyramid.bands[1].dtype == torch.complex64


def test_some_bands_are_those_of_the_whole() -> None:
    images = torch.rand(2, 41, 36, generator=generator(2), dtype=torch.float64)
    whole = steerable_pyramid(images, levels=3, orientations=6).bands
    some = steerable_bands(images, levels=3, orientations=6, scales=[0, 2], directions=(0, 3))
    assert torch.allclose(some[0], whole[0][:, [0, 3]])
    assert torch.allclose(some[1], whole[2][:, [0, 3]])
