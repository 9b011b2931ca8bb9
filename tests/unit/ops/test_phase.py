"""Phase congruency: its filters, its laws and a slow second form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from isocenter.data.random import generator
from isocenter.ops.phase import frequency_grid, log_gabor_bank, phase_congruency

CPU = torch.device("cpu")


def slow(image: np.ndarray) -> np.ndarray:
    """Phase congruency by its definition: cosine minus sine of every wave's phase."""
    bank = log_gabor_bank(*image.shape, torch.float64, CPU)
    energy, amplitude = np.zeros(image.shape), np.zeros(image.shape)
    for filters, gain in zip(bank.filters.numpy(), bank.noise_gain.numpy(), strict=True):
        waves = np.fft.ifft2(np.fft.fft2(image) * filters)
        phases, mean_phase = np.angle(waves), np.angle(waves.sum(0))
        agreement = np.cos(phases - mean_phase) - np.abs(np.sin(phases - mean_phase))
        sizes = np.abs(waves)
        threshold = gain * np.sort(sizes[0].ravel())[(image.size - 1) // 2]
        energy += np.maximum((sizes * agreement).sum(0) - threshold, 0)
        amplitude += sizes.sum(0)
    return energy / amplitude


@pytest.mark.parametrize("sides", [(24, 32), (25, 31)])
def test_phase_congruency_equals_the_slow_form(sides: tuple[int, int]) -> None:
    images = torch.rand(2, *sides, generator=generator(2), dtype=torch.float64)
    images[:, 8:] += 2
    found = phase_congruency(images)
    for n in range(2):
        assert np.allclose(found[n], slow(images[n].numpy()), atol=1e-9)


def test_contrast_and_brightness_do_not_matter() -> None:
    images = torch.rand(1, 32, 32, generator=generator(3), dtype=torch.float64)
    assert torch.allclose(phase_congruency(images), phase_congruency(40 * images + 7), atol=1e-9)


def test_an_edge_is_where_waves_agree() -> None:
    step = torch.zeros(1, 64, 64, dtype=torch.float64)
    step[:, :, 16:48] = 1
    congruency = phase_congruency(step)
    assert congruency.max() <= 1
    assert set(congruency[0].max(0).values.topk(4).indices.tolist()) == {15, 16, 47, 48}


def test_an_even_image_is_finite_and_has_a_gradient() -> None:
    images = torch.full((1, 16, 16), 0.3, requires_grad=True)
    (slope,) = torch.autograd.grad(phase_congruency(images).sum(), images)
    assert bool(slope.isfinite().all())


def test_the_noise_gain_is_the_sum_over_pairs_of_scales() -> None:
    bank = log_gabor_bank(24, 20, torch.float64, CPU)
    even = torch.fft.ifft2(bank.filters).real * math.sqrt(24 * 20)
    products = torch.einsum("oshw,othw->o", even, even)
    power = 1 / math.log(2) / bank.filters[:, 0].square().sum((1, 2))
    threshold = (power * products).sqrt() * (
        math.sqrt(math.pi / 2) + 2 * math.sqrt(2 - math.pi / 2)
    )
    assert torch.allclose(bank.noise_gain, threshold / 1.7)


def test_frequencies_reach_one_half_on_odd_axes_too() -> None:
    down, across = frequency_grid(5, 4)
    assert down[:, 0].tolist() == [0, 0.25, 0.5, -0.5, -0.25]
    assert across[0].tolist() == [0, 0.25, -0.5, -0.25]


def test_filters_are_kept() -> None:
    assert log_gabor_bank(12, 10, torch.float32, CPU) is log_gabor_bank(12, 10, torch.float32, CPU)


def test_filters_made_without_gradients_serve_with_them() -> None:
    log_gabor_bank.cache_clear()
    images = torch.rand(1, 18, 18, generator=generator(4))
    with torch.inference_mode():
        phase_congruency(images)
    images.requires_grad_()
    (slope,) = torch.autograd.grad(phase_congruency(images).sum(), images)
    assert slope.abs().sum() > 0


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_the_compiled_pass_is_the_formula_in_tensors(dtype: torch.dtype, limit: float) -> None:
    images = torch.rand(3, 33, 40, generator=generator(5), dtype=torch.float64).to(dtype)
    compiled = phase_congruency(images)
    tensors = phase_congruency(images.clone().requires_grad_())
    assert tensors.requires_grad
    assert compiled.dtype == dtype
    assert torch.allclose(compiled, tensors.detach(), rtol=0, atol=limit)
