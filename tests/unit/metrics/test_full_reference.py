"""SSIM and PSNR against a slow second form."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.metrics.psnr import psnr
from isocenter.metrics.ssim import ssim, ssim_map


def pair(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = generator(len(shape))
    clean = torch.rand(2, 1, *shape, generator=rng, dtype=torch.float64)
    return clean + 0.1 * torch.randn(clean.shape, generator=rng, dtype=torch.float64), clean


def slow_ssim_map(x: np.ndarray, y: np.ndarray, data_range: float) -> np.ndarray:
    """Equation 13 of Wang et al. with scipy's Gaussian."""

    def mean(values: np.ndarray) -> np.ndarray:
        return scipy.ndimage.gaussian_filter(values, 1.5, truncate=3.5, mode="mirror")

    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    return (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))


@pytest.mark.parametrize("shape", [(24, 31), (15, 17, 13)])
def test_ssim_equals_the_slow_form(shape: tuple[int, ...]) -> None:
    image, clean = pair(*shape)
    fast = ssim_map(image, clean, data_range=2.0)
    for n in range(2):
        slow = slow_ssim_map(image[n, 0].numpy(), clean[n, 0].numpy(), 2.0)
        assert np.abs(fast[n, 0].numpy() - slow).max() < 1e-10


def test_ssim_averages_where_the_window_fits() -> None:
    image, clean = pair(24, 31)
    inner = ssim_map(image, clean, data_range=1.0)[..., 5:-5, 5:-5].flatten(1).mean(1)
    assert torch.allclose(ssim(image, clean, data_range=1.0), inner)


def test_ssim_of_a_mask_is_the_mean_inside() -> None:
    image, clean = pair(24, 31)
    mask = torch.zeros(1, 1, 24, 31, dtype=torch.bool)
    mask[..., 3:9, 7:20] = True
    inside = ssim_map(image, clean, data_range=1.0)[:, 0, 3:9, 7:20].flatten(1).mean(1)
    assert torch.allclose(ssim(image, clean, data_range=1.0, mask=mask), inside)


def test_identity_and_order() -> None:
    image, clean = pair(32, 32)
    assert ssim(clean, clean, data_range=1.0).tolist() == pytest.approx([1, 1])
    worse = clean + 3 * (image - clean)
    assert (ssim(worse, clean, data_range=1.0) < ssim(image, clean, data_range=1.0)).all()
    assert (psnr(worse, clean, data_range=1.0) < psnr(image, clean, data_range=1.0)).all()
    assert psnr(clean, clean, data_range=1.0).isinf().all()


def test_psnr_by_hand() -> None:
    clean = torch.zeros(1, 1, 4, 4)
    assert float(psnr(clean + 0.1, clean, data_range=1.0)) == pytest.approx(20, abs=1e-4)
    mask = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    mask[..., 0, 0] = True
    image = clean.clone()
    image[..., 0, 0] = 0.01
    assert float(psnr(image, clean, data_range=1.0, mask=mask)) == pytest.approx(40, abs=1e-4)


def test_bad_calls_are_refused() -> None:
    with pytest.raises(UsageError, match="differ in shape"):
        ssim(torch.zeros(1, 1, 20, 20), torch.zeros(1, 1, 20, 21), data_range=1.0)
    with pytest.raises(UsageError, match="11 pixels"):
        ssim(torch.zeros(1, 1, 20, 8), torch.zeros(1, 1, 20, 8), data_range=1.0)
    with pytest.raises(UsageError, match="differ in shape"):
        psnr(torch.zeros(1, 1, 20, 20), torch.zeros(1, 1, 20, 21), data_range=1.0)
