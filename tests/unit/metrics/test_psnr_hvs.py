"""PSNR-HVS and PSNR-HVS-M against a slow second form, block by block."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import torch

from isocenter.data.random import generator
from isocenter.metrics._cosines import SENSITIVITY, STEPS, transform
from isocenter.metrics.psnr_hvs import psnr_hvs
from isocenter.metrics.psnr_hvs_m import psnr_hvs_m

TABLE = np.array(STEPS, dtype=float)


def pair(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = generator(len(shape))
    clean = torch.rand(2, 1, *shape, generator=rng, dtype=torch.float64)
    clean[..., :8] = clean[..., :1]
    return clean + 0.05 * torch.randn(clean.shape, generator=rng, dtype=torch.float64), clean


def masking(block: np.ndarray) -> float:
    coefficients = scipy.fft.dctn(block, norm="ortho")
    coefficients[0, 0] = 0
    energy = (coefficients**2 * (10 / TABLE) ** 2).sum()
    halves = (slice(0, 4), slice(4, 8))
    quarters = sum(16 * block[a, b].var(ddof=1) for a in halves for b in halves)
    whole = 64 * block.var(ddof=1)
    return float(np.sqrt(energy * quarters / whole) / 32) if whole else 0.0


def slow(image: np.ndarray, clean: np.ndarray, *, masked: bool) -> float:
    errors = []
    for i in range(0, image.shape[0] - 7, 8):
        for j in range(0, image.shape[1] - 7, 8):
            a, b = (255 * each[i : i + 8, j : j + 8] for each in (image, clean))
            error = np.abs(scipy.fft.dctn(a, norm="ortho") - scipy.fft.dctn(b, norm="ortho"))
            if masked:
                hidden = max(masking(a), masking(b)) / (10 / TABLE) ** 2
                hidden[0, 0] = 0
                error = np.maximum(error - hidden, 0)
            errors.append((error * SENSITIVITY / TABLE) ** 2)
    return float(10 * np.log10(255**2 / np.mean(errors)))


@pytest.mark.parametrize("shape", [(24, 32), (27, 22)])
def test_they_equal_the_slow_form(shape: tuple[int, ...]) -> None:
    image, clean = pair(*shape)
    for n in range(2):
        one, two = image[n, 0].numpy(), clean[n, 0].numpy()
        plain = float(psnr_hvs(image, clean, data_range=1.0)[n])
        masked = float(psnr_hvs_m(image, clean, data_range=1.0)[n])
        assert plain == pytest.approx(slow(one, two, masked=False), rel=1e-10)
        assert masked == pytest.approx(slow(one, two, masked=True), rel=1e-10)


def test_sensitivities_are_those_the_authors_publish() -> None:
    found = SENSITIVITY / TABLE
    published = {(0, 0): 1.608443, (0, 1): 2.339554, (2, 1): 1.979622, (6, 5): 0.212687}
    assert {at: round(float(found[at]), 6) for at in published} == published


def test_the_transform_is_the_orthonormal_one() -> None:
    block = torch.rand(3, 8, 8, generator=generator(1), dtype=torch.float64)
    expected = scipy.fft.dctn(block.numpy(), axes=(1, 2), norm="ortho")
    assert np.allclose(transform(block).numpy(), expected)


def test_contrast_hides_errors() -> None:
    image, clean = pair(32, 32)
    plain, masked = (f(image, clean, data_range=1.0) for f in (psnr_hvs, psnr_hvs_m))
    assert (masked > plain).all()


def test_an_offset_is_never_hidden() -> None:
    _, clean = pair(32, 32)
    plain, masked = (f(clean + 0.01, clean, data_range=1.0) for f in (psnr_hvs, psnr_hvs_m))
    assert torch.allclose(plain, masked)
