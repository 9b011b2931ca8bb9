"""The compiled similarity against the same formula in tensors, which gradients take."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.metrics.ms_ssim import ms_ssim
from isocenter.metrics.ssim import means, ssim
from isocenter.ops.similarity import similarity_means
from isocenter.ops.windows import box, slide

SHAPES = [(11, 11), (40, 70), (11, 12, 13), (14, 30, 17)]


def pair(shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    rng = generator(sum(shape))
    clean = torch.rand(3, 2, *shape, generator=rng, dtype=torch.float64)
    noise = torch.randn(clean.shape, generator=rng, dtype=torch.float64)
    return (clean + 0.1 * noise).to(dtype), clean.to(dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_one_pass_is_the_formula_in_tensors(
    shape: tuple[int, ...], dtype: torch.dtype, limit: float
) -> None:
    image, clean = pair(shape, dtype)
    compiled = means(image, clean, data_range=1.0)
    tensors = means(image.clone().requires_grad_(), clean, data_range=1.0)
    for one, other in zip(compiled, tensors, strict=True):
        assert other.requires_grad
        assert one.shape == (3, 2)
        assert one.dtype == dtype
        assert torch.allclose(one, other.detach(), rtol=limit, atol=0)


@pytest.mark.parametrize("width", [1, 2, 4, 5, 6, 8])
def test_any_window_weighs_the_moments(width: int) -> None:
    (x, y), taps = pair((9, 10)), box(width)
    m_x, m_y, energy, product = (slide(each, taps) for each in (x, y, x * x + y * y, x * y))
    structure = (2 * (product - m_x * m_y) + 0.2) / (energy - m_x**2 - m_y**2 + 0.2)
    similarity = structure * (2 * m_x * m_y + 0.1) / (m_x**2 + m_y**2 + 0.1)
    expected = similarity.mean((2, 3)), structure.mean((2, 3))
    for one, other in zip(similarity_means(x, y, taps, (0.1, 0.2)), expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-12)


def test_neither_threads_nor_strides_change_a_bit() -> None:
    image, clean = pair((30, 40))
    n_threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = ssim(image, clean, data_range=1.0)
        torch.set_num_threads(3)
        many = ssim(image.mT.contiguous().mT, clean, data_range=1.0)
    finally:
        torch.set_num_threads(n_threads)
    assert torch.equal(one, many)


def test_no_images_have_no_scores() -> None:
    none = torch.zeros(0, 1, 20, 20)
    assert ssim(none, none, data_range=1.0).shape == (0,)


def test_a_gradient_of_the_reference_is_kept_too() -> None:
    image, clean = pair((24, 26))
    clean.requires_grad_()
    for value in (
        ssim(image, clean, data_range=1.0),
        ms_ssim(image, clean, data_range=1.0, weights=(0.5, 0.5)),
    ):
        (slope,) = torch.autograd.grad(value.sum(), clean)
        assert slope.isfinite().all()
        assert slope.abs().max() > 0
