"""ESSIM against a slow second form, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isocenter.data.random import generator
from isocenter.metrics.essim import essim

STRAIGHT = {(-1, -1): 3, (-1, 0): 10, (-1, 1): 3, (1, -1): -3, (1, 0): -10, (1, 1): -3}
SLANTED = {(-2, 0): 3, (-1, -1): 10, (0, -2): 3, (0, 2): -3, (1, 1): -10, (2, 0): -3}


def slope(image: np.ndarray, taps: dict[tuple[int, int], int], i: int, j: int) -> float:
    height, width = image.shape
    return sum(
        tap / 16 * image[i + di, j + dj]
        for (di, dj), tap in taps.items()
        if 0 <= i + di < height and 0 <= j + dj < width
    )


def turned(taps: dict[tuple[int, int], int]) -> dict[tuple[int, int], int]:
    return {(-dj, di): tap for (di, dj), tap in taps.items()}


def strengths(image: np.ndarray, i: int, j: int) -> list[float]:
    return [
        abs(slope(image, taps, i, j) - slope(image, turned(taps), i, j)) ** 0.5
        for taps in (STRAIGHT, SLANTED)
    ]


def slow(image: np.ndarray, clean: np.ndarray) -> float:
    values = []
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            own, true = strengths(image, i, j), strengths(clean, i, j)
            which = int(np.argmax(true))
            a, b = own[which], true[which]
            values.append((2 * a * b + 2550) / (a * a + b * b + 2550))
    return float(np.mean(values))


def test_it_equals_the_slow_form() -> None:
    rng = generator(3)
    clean = torch.rand(2, 1, 17, 22, generator=rng, dtype=torch.float64)
    image = clean + 0.3 * torch.randn(clean.shape, generator=rng, dtype=torch.float64)
    found = essim(image, clean, data_range=1.0)
    for n in range(2):
        expected = slow(255 * image[n, 0].numpy(), 255 * clean[n, 0].numpy())
        assert float(found[n]) == pytest.approx(expected, rel=1e-10)


def test_the_reference_chooses_the_direction() -> None:
    rng = generator(4)
    one, two = torch.rand(2, 1, 1, 20, 20, generator=rng, dtype=torch.float64)
    assert not torch.allclose(essim(one, two, data_range=1.0), essim(two, one, data_range=1.0))
