"""NLPD against a slow second form with dense filters."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import torch

from isocenter.data.random import generator
from isocenter.metrics.nlpd import FLOORS, NEIGHBOURS, nlpd

TAPS = np.array([0.05, 0.25, 0.4, 0.25, 0.05])
DENSE = np.outer(TAPS, TAPS)


def reduced(image: np.ndarray) -> np.ndarray:
    wide = np.pad(image, 2, mode="symmetric")
    return scipy.signal.correlate2d(wide, DENSE, "valid")[::2, ::2]


def enlarged(low: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    wide = np.pad(low, 1, mode="edge")
    spread = np.zeros((2 * wide.shape[0], 2 * wide.shape[1]))
    spread[::2, ::2] = 4 * wide
    full = scipy.signal.correlate2d(spread, DENSE, "same")
    return full[2 : 2 + shape[0], 2 : 2 + shape[1]]


def normalised(image: np.ndarray) -> list[np.ndarray]:
    bands = []
    for _ in range(5):
        low = reduced(image)
        bands.append(image - enlarged(low, image.shape))
        image = low
    bands.append(image)
    found = []
    for band, floor, neighbours in zip(bands, FLOORS, NEIGHBOURS, strict=True):
        kernel = np.zeros((5, 5))
        for (row, column), weight in neighbours.items():
            kernel[2 + row, 2 + column] = weight
        found.append(band / (floor + scipy.signal.correlate2d(np.abs(band), kernel, "same")))
    return found


@pytest.mark.parametrize("shape", [(64, 96), (45, 50), (32, 33)])
def test_it_equals_the_slow_form(shape: tuple[int, int]) -> None:
    rng = generator(1)
    clean = torch.rand(2, 1, *shape, generator=rng, dtype=torch.float64)
    image = clean + 0.1 * torch.randn(clean.shape, generator=rng, dtype=torch.float64)
    for n, value in enumerate(nlpd(image, clean, data_range=1.0)):
        pairs = zip(normalised(image[n, 0].numpy()), normalised(clean[n, 0].numpy()), strict=True)
        expected = np.mean([np.sqrt(np.mean((a - b) ** 2)) for a, b in pairs])
        assert float(value) == pytest.approx(expected, rel=1e-10)


def test_an_error_beside_contrast_counts_less() -> None:
    rng = generator(2)
    clean = torch.full((1, 1, 64, 64), 0.5, dtype=torch.float64)
    clean[..., 32:] += 0.3 * torch.randn(64, 32, generator=rng, dtype=torch.float64)
    ripple = 0.05 * torch.randn(64, 20, generator=rng, dtype=torch.float64)
    flat, busy = clean.clone(), clean.clone()
    flat[..., 6:26] += ripple
    busy[..., 38:58] += ripple
    distances = [float(nlpd(each, clean, data_range=1.0)) for each in (busy, flat)]
    assert distances[0] < distances[1]
