"""The 9/7 wavelets against their lifting steps, and the laws of a nearly orthonormal basis."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isocenter.data.random import generator
from isocenter.ops.wavelets import wavelet_bands

LIFTING = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
SCALE = 1.149604398860241


def lifted(line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Low and high coefficients by four lifting steps, one sample after the other."""
    values = line.astype(float).copy()
    last = len(values) - 1
    for step, factor in enumerate(LIFTING):
        before = values.copy()
        for at in range(1 - step % 2, len(values), 2):
            left = before[abs(at - 1)]
            right = before[at + 1 if at < last else last - 1]
            values[at] += factor * (left + right)
    return values[::2] * SCALE, values[1::2] / SCALE


@pytest.mark.parametrize("side", [16, 15])
def test_one_line_is_lifted(side: int) -> None:
    line = torch.rand(side, generator=generator(side), dtype=torch.float64)
    # The same line in every row: across it lies what the lifting gives, down there is nothing.
    fine_down, fine_across, fine_both = wavelet_bands(line.expand(1, 1, 8, side), levels=1)[0]
    _, high = lifted(line.numpy())
    assert np.allclose(fine_across[0, 0].numpy() / 2**0.5, high, atol=1e-9)
    assert float(fine_down.abs().max()) < 1e-9
    assert float(fine_both.abs().max()) < 1e-9


def test_waves_fall_where_they_belong() -> None:
    at = torch.arange(64, dtype=torch.float64)
    for period, scale in ((2, 0), (6, 1), (12, 2)):
        image = torch.cos(2 * torch.pi * at / period).expand(1, 1, 64, 64)
        power = [float(across.square().sum()) for _, across, _ in wavelet_bands(image, levels=4)]
        assert int(np.argmax(power)) == scale


def test_the_variance_of_noise_is_nearly_kept() -> None:
    image = torch.randn(2, 1, 128, 128, generator=generator(1), dtype=torch.float64)
    power = sum(
        sum(band.square().mean() for band in bands) / 4.0**level
        for level, bands in enumerate(wavelet_bands(image, levels=5), start=1)
    )
    assert float(power) == pytest.approx(float(image.var()), rel=0.05)
