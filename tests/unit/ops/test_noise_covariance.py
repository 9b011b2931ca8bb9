"""Noise of several coils: what was put in is found again."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.errors import BadKSpace
from isocenter.ops.fourier import fft
from isocenter.ops.noise_covariance import (
    compress_coils,
    noise_covariance,
    noise_level,
    prewhiten,
)
from tests.kspace_phantom import coil_phantom, line_mask

SHAPE = (96, 80)


def white(*shape: int, seed: int = 1) -> Tensor:
    """Real and imaginary parts of variance 1 / 2."""
    return torch.randn(*shape, generator=generator(seed), dtype=torch.complex64)


def mixing(n_coils: int = 4) -> Tensor:
    return torch.eye(n_coils) + 0.5 * white(n_coils, n_coils, seed=5)


def test_covariance_of_mixed_noise() -> None:
    mixed = mixing() @ white(4, 200_000)
    expected = mixing() @ mixing().mH
    torch.testing.assert_close(noise_covariance(mixed), expected, rtol=0.02, atol=0.02)


def test_prewhitened_noise_is_independent_and_of_variance_one() -> None:
    mixed = 7 * mixing() @ white(4, 100_000)
    kspace = mixed.reshape(4, 250, 400)[None]
    whitened = prewhiten(kspace, noise_covariance(mixed))
    found = noise_covariance(whitened[0].flatten(1))
    torch.testing.assert_close(found, torch.eye(4, dtype=torch.complex64), rtol=0, atol=1e-3)
    level = noise_level(whitened, torch.ones(1, 250, 400, dtype=torch.bool))
    torch.testing.assert_close(level, torch.tensor([0.5**0.5]), rtol=0.02, atol=0)


def test_what_was_not_measured_stays_zero() -> None:
    kspace = white(1, 4, 8, 8)
    kspace[..., ::2] = 0
    whitened = prewhiten(kspace, mixing() @ mixing().mH)
    assert torch.equal(whitened[..., ::2], torch.zeros_like(kspace[..., ::2]))


@pytest.mark.parametrize("kind", ["all", "lines", "places", "a measured disc"])
def test_level_of_noise_beneath_an_image(kind: str) -> None:
    phantom = coil_phantom(SHAPE, 4)
    smooth = fft(phantom.maps * phantom.image.abs().pow(0.1), (-2, -1))
    rows, columns = (torch.arange(n) - n // 2 for n in SHAPE)
    disc = (rows[:, None] / 48) ** 2 + (columns / 40) ** 2 < 1
    mask = {
        "all": torch.ones(SHAPE, dtype=torch.bool),
        "lines": line_mask(SHAPE, 4, 16),
        "places": torch.rand(SHAPE, generator=generator(3)) < 0.3,
        "a measured disc": torch.ones(SHAPE, dtype=torch.bool),
    }[kind]
    levels = torch.tensor([0.3, 0.6])
    noise = white(2, 4, *SHAPE) * 2**0.5 * levels[:, None, None, None]
    measured = mask & disc if kind == "a measured disc" else mask
    kspace = (smooth + noise) * measured
    torch.testing.assert_close(noise_level(kspace, mask[None]), levels, rtol=0.08, atol=0)


def test_level_of_nothing_is_zero() -> None:
    nothing = torch.zeros(2, 3, 8, 8, dtype=torch.complex64)
    assert torch.equal(noise_level(nothing, torch.ones(1, 8, 8) > 0), torch.zeros(2))


def test_virtual_coils_hold_the_energy_that_is_said() -> None:
    phantom = coil_phantom(SHAPE, 8)
    kspace = phantom.kspace[None]
    fewer = compress_coils(kspace, 4)
    assert fewer.kspace.shape == (1, 4, *SHAPE)
    kept = float(fewer.kspace.norm() ** 2 / kspace.norm() ** 2)
    assert fewer.energy_kept == pytest.approx(kept, abs=1e-4)
    assert 0.9 < kept < 1
    energies = fewer.kspace.flatten(2).norm(dim=-1)[0]
    assert (energies[1:] <= energies[:-1]).all()
    torch.testing.assert_close(
        fewer.matrix @ fewer.matrix.mH, torch.eye(4, dtype=torch.complex64), rtol=0, atol=1e-5
    )
    assert compress_coils(kspace, 8).energy_kept == pytest.approx(1, abs=1e-6)


def test_silence_is_compressed_without_nan() -> None:
    fewer = compress_coils(torch.zeros(1, 3, 4, 4, dtype=torch.complex64), 2)
    assert fewer.energy_kept == 0
    assert torch.isfinite(torch.view_as_real(fewer.kspace)).all()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BadKSpace, match="3 noise samples of 4 coils"):
        noise_covariance(white(4, 3))
    with pytest.raises(BadKSpace, match="not positive definite"):
        prewhiten(white(1, 2, 3, 3), torch.zeros(2, 2, dtype=torch.complex64))
    with pytest.raises(BadKSpace, match="from 1 to 2"):
        compress_coils(white(1, 2, 3, 3), 3)
