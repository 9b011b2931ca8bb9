"""MSE, NMSE, PSNR and HFEN by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from isocenter.data.random import generator
from isocenter.metrics.hfen import SIGMA, WIDTH, hfen
from isocenter.metrics.mse import mse
from isocenter.metrics.nmse import nmse
from isocenter.metrics.psnr import psnr


def pair(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = generator(len(shape))
    clean = torch.rand(2, 1, *shape, generator=rng, dtype=torch.float64)
    return clean + 0.1 * torch.randn(clean.shape, generator=rng, dtype=torch.float64), clean


def test_mse_and_nmse_by_hand() -> None:
    reference = torch.tensor([[[[1.0, 2.0], [2.0, 4.0]]]])
    image = torch.tensor([[[[1.0, 3.0], [2.0, 1.0]]]])
    assert float(mse(image, reference)) == pytest.approx(10 / 4)
    assert float(nmse(image, reference)) == pytest.approx(10 / 25)
    first = torch.tensor([[True, True], [False, False]])
    assert float(mse(image, reference, mask=first)) == pytest.approx(1 / 2)
    assert float(nmse(image, reference, mask=first)) == pytest.approx(1 / 5)


def test_a_volume_has_one_nmse_and_not_the_mean_of_its_slices() -> None:
    image, clean = pair(5, 6, 7)
    clean[:, :, 0] *= 10
    whole = nmse(image, clean)
    slices = torch.stack([nmse(image[:, :, i], clean[:, :, i]) for i in range(5)]).mean(0)
    assert not torch.allclose(whole, slices)


def test_references_of_zeros() -> None:
    dark, light = torch.zeros(1, 1, 16, 16), torch.ones(1, 1, 16, 16)
    assert nmse(light, dark).isinf().all()
    assert nmse(dark, dark).isnan().all()
    for flat in (dark, light, 0.3 * light):
        assert hfen(dark, flat).isnan().all()


def test_an_empty_mask_gives_nan() -> None:
    image, clean = pair(16, 16)
    nowhere = torch.zeros(16, 16, dtype=torch.bool)
    for value in (mse, nmse, hfen):
        assert value(image, clean, mask=nowhere).isnan().all()
    assert psnr(image, clean, data_range=1.0, mask=nowhere).isnan().all()


@pytest.mark.parametrize("shape", [(40, 33), (22, 19, 25)])
def test_hfen_is_the_dense_filter_of_the_paper(shape: tuple[int, ...]) -> None:
    at = np.meshgrid(*[np.arange(WIDTH) - WIDTH // 2] * len(shape), indexing="ij")
    squared = sum(axis**2 for axis in at)
    bell = np.exp(-squared / (2 * SIGMA**2))
    kernel = (squared - len(shape) * SIGMA**2) / SIGMA**4 * bell / bell.sum()
    kernel -= kernel.mean()

    def filtered(values: torch.Tensor) -> np.ndarray:
        return scipy.ndimage.correlate(values.numpy(), kernel, mode="reflect")

    image, clean = pair(*shape)
    for n, value in enumerate(hfen(image, clean)):
        wrong, there = filtered(image[n, 0] - clean[n, 0]), filtered(clean[n, 0])
        assert float(value) == pytest.approx(
            np.linalg.norm(wrong) / np.linalg.norm(there), rel=1e-10
        )


def test_hfen_sees_lost_edges_and_no_offset() -> None:
    _, clean = pair(40, 40)
    assert hfen(clean + 5, clean).max() < 1e-12
    assert (hfen(torch.zeros_like(clean), clean) - 1).abs().max() < 1e-12
