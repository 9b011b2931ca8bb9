"""GMSD and MS-GMSD by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from isocenter.data.random import generator
from isocenter.metrics.gmsd import gmsd
from isocenter.metrics.ms_gmsd import ms_gmsd


def pair(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = generator(len(shape))
    clean = torch.rand(2, 1, *shape, generator=rng, dtype=torch.float64)
    return clean + 0.1 * torch.randn(clean.shape, generator=rng, dtype=torch.float64), clean


def slow_similarity(x: np.ndarray, y: np.ndarray, constant: float) -> np.ndarray:
    def gradient(values: np.ndarray) -> np.ndarray:
        scale = 3 ** (values.ndim - 1)
        along = [
            scipy.ndimage.prewitt(values, axis, mode="constant") / scale
            for axis in range(values.ndim)
        ]
        return np.sqrt(sum(part**2 for part in along))

    a, b = gradient(x), gradient(y)
    return (2 * a * b + constant) / (a**2 + b**2 + constant)


@pytest.mark.parametrize("shape", [(24, 30), (12, 16, 14)])
def test_gmsd_is_the_slow_form(shape: tuple[int, ...]) -> None:
    image, clean = pair(*shape)
    pool = {2: torch.nn.functional.avg_pool2d, 3: torch.nn.functional.avg_pool3d}[len(shape)]
    for n, value in enumerate(gmsd(image, clean, data_range=1.0)):
        small = [pool(each[n, 0][None], 2)[0].numpy() for each in (image, clean)]
        expected = slow_similarity(*small, constant=170 / 255**2).std()
        assert float(value) == pytest.approx(expected, rel=1e-10)


def test_gmsd_of_a_mask_is_the_deviation_inside() -> None:
    image, clean = pair(24, 30)
    mask = torch.zeros(24, 30, dtype=torch.bool)
    mask[4:12, 6:20] = True
    value = gmsd(image, clean, data_range=1.0, mask=mask)
    for n in range(2):
        small = [torch.nn.functional.avg_pool2d(each[n], 2)[0].numpy() for each in (image, clean)]
        inside = slow_similarity(*small, constant=170 / 255**2)[2:6, 3:10]
        assert float(value[n]) == pytest.approx(inside.std(), rel=1e-10)


def test_ms_gmsd_of_an_equal_loss_everywhere_is_small() -> None:
    image, clean = pair(32, 32)
    assert (ms_gmsd(clean + 0.01, clean, data_range=1.0) < 0.1).all()
    assert (ms_gmsd(image, clean, data_range=1.0) > 0.01).all()


def test_symmetry() -> None:
    image, clean = pair(32, 33)
    for measure in (gmsd, ms_gmsd):
        there, back = measure(image, clean, data_range=1.0), measure(clean, image, data_range=1.0)
        assert torch.allclose(there, back)
