"""VIF, IFC and CW-SSIM: slow second forms and what they are made to notice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.metrics.cw_ssim import cw_ssim
from isocenter.metrics.ifc import ifc
from isocenter.metrics.ssim import ssim
from isocenter.metrics.vif import vif
from isocenter.ops.steerable import steerable_pyramid


def pair(side: int = 84) -> tuple[Tensor, Tensor]:
    """Waves with texture, and the same with noise; from 0 to about 1."""
    rng = generator(7)
    at = torch.arange(side, dtype=torch.float64)
    waves = torch.sin(at / 3)[:, None] * torch.cos(at / 5) + torch.sin((at[:, None] + at) / 9)
    clean = 0.5 + 0.15 * waves + 0.1 * torch.rand(1, 1, side, side, generator=rng).double()
    return clean + 0.04 * torch.randn(clean.shape, generator=rng).double(), clean


def slow_sums(image: Tensor, clean: Tensor, eye: float) -> tuple[float, float]:
    """Information in image and reference, block by block, as the model is written down."""
    kept = there = 0.0
    pyramids = [
        steerable_pyramid(255 * values[:, 0], levels=4, orientations=6) for values in (clean, image)
    ]
    for level, direction in np.ndindex(4, 2):
        x, y = (p.bands[level][0, 3 * direction].real.numpy() for p in pyramids)
        rows, columns = x.shape[0] // 3, x.shape[1] // 3
        half = 2 ** (3 - level)
        cut = x[: 3 * rows, : 3 * columns]
        every = np.lib.stride_tricks.sliding_window_view(cut, (3, 3)).reshape(-1, 9)
        covariance = np.cov(every.T, bias=True)
        border = int(np.ceil(half / 3))
        for row, column in np.ndindex(rows - 2 * border, columns - 2 * border):
            top, left = 3 * (row + border), 3 * (column + border)
            block = x[top : top + 3, left : left + 3].ravel()
            scale = block @ np.linalg.solve(covariance, block) / 9
            around = np.s_[top + 1 - half : top + 2 + half, left + 1 - half : left + 2 + half]
            (var_x, cov), (_, var_y) = np.cov(x[around].ravel(), y[around].ravel(), bias=True)
            gain = max(cov / var_x, 0)
            noise = var_y - gain * cov
            variances = scale * np.linalg.eigvalsh(covariance)
            kept += np.log2(1 + gain**2 * variances / (noise + eye)).sum()
            there += np.log2(1 + variances / eye).sum() if eye else 0
    return kept, there


def test_vif_equals_the_slow_form() -> None:
    image, clean = pair()
    kept, there = slow_sums(image, clean, 0.4)
    assert float(vif(image, clean, data_range=1.0)) == pytest.approx(kept / there, rel=1e-9)


def test_ifc_equals_the_slow_form() -> None:
    image, clean = pair()
    kept, _ = slow_sums(image, clean, 0.0)
    expected = kept / 2 / clean[0].numel()
    assert float(ifc(image, clean, data_range=1.0)) == pytest.approx(expected, rel=1e-9)


def test_vif_rewards_contrast_and_unrelated_images_share_nothing() -> None:
    image, clean = pair()
    assert float(vif(0.5 + 1.2 * (clean - 0.5), clean, data_range=1.0)) > 1
    assert float(vif(torch.full_like(clean, 0.5), clean, data_range=1.0)) == pytest.approx(0)
    assert float(ifc(1 - image, clean, data_range=1.0)) < 0.2
    assert vif(image, torch.full_like(clean, 0.5), data_range=1.0).isnan().all()


def test_cw_ssim_forgives_a_shift_that_ssim_does_not() -> None:
    _, clean = pair(128)
    shifted = clean.roll(2, 3)
    assert float(cw_ssim(shifted, clean, data_range=1.0)) > 0.9
    assert float(ssim(shifted, clean, data_range=1.0)) < 0.7


def test_cw_ssim_equals_a_slow_window() -> None:
    image, clean = pair(64)
    x, y = (
        steerable_pyramid(255 * values[:, 0], levels=4, orientations=8).bands[-1][0].numpy()
        for values in (image, clean)
    )
    at = np.arange(2) - 0.5
    weight = np.exp(-(at**2) / (2 * 0.5**2))
    weight = np.outer(weight, weight) / weight.sum() ** 2
    total = 0.0
    for k, row, column in np.ndindex(8, 2, 2):
        a, b = (band[k, row : row + 7, column : column + 7] for band in (x, y))
        energy = (np.abs(a) ** 2 + np.abs(b) ** 2).sum()
        total += weight[row, column] * 2 * np.abs((a * b.conj()).sum()) / energy / 8
    assert float(cw_ssim(image, clean, data_range=1.0)) == pytest.approx(total, rel=1e-8)


@pytest.mark.parametrize("metric", [vif, ifc, cw_ssim])
def test_colours_and_masks_are_refused(metric: Callable[..., Tensor]) -> None:
    image = torch.zeros(1, 3, 80, 80)
    with pytest.raises(UsageError, match="one channel"):
        metric(image, image, data_range=1.0)
    with pytest.raises(UsageError, match="mask"):
        metric(image, image, data_range=1.0, mask=image > 0)
