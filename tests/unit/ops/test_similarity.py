"""The compiled similarity against the same formula in tensors, which gradients take."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.metrics.ms_ssim import ms_ssim
from isocenter.metrics.ssim import means, ssim
from isocenter.metrics.vifp import vifp
from isocenter.ops.similarity import information_ratios, similarity_means
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


@pytest.mark.parametrize("shape", [(41, 70), (90, 64), (41, 42, 43)])
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_information_in_one_pass_is_that_in_tensors(
    shape: tuple[int, ...], dtype: torch.dtype, limit: float
) -> None:
    image, clean = pair(shape, dtype)
    compiled = vifp(image, clean, data_range=1.0)
    image.requires_grad_()
    tensors = vifp(image, clean, data_range=1.0)
    (slope,) = torch.autograd.grad(tensors.sum(), image)
    assert slope.isfinite().all()
    assert slope.abs().max() > 0
    assert compiled.dtype == dtype
    assert torch.allclose(compiled, tensors.detach(), rtol=limit, atol=0)


@pytest.mark.parametrize("width", [1, 5, 12, 13, 17, 26])
def test_information_in_any_window_is_its_formula(width: int) -> None:
    x, y = pair((27, 40))
    y[:, :, :, :20] = 0.3
    taps = box(width)
    m_x, m_y, xx, yy, xy = (slide(each, taps) for each in (x, y, x * x, y * y, x * y))
    own, true, common = xx - m_x**2, yy - m_y**2, xy - m_x * m_y
    true = torch.where(true < 1e-6, 0, true)
    gain = torch.where((true > 0) & (own >= 1e-6), (common / true).clamp_min(0), 0)
    rest = (own - gain * common).clamp_min(1e-6)
    expected = gain**2 * true / (rest + 0.1), true / 0.1
    found = information_ratios(x, y, taps, flat=1e-6, noise=0.1)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == (3, 2, 28 - width, 41 - width)
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-12)


def test_what_is_no_number_stays_none() -> None:
    image, clean = pair((50, 60), torch.float32)
    image[0, 0, 20, 20] = float("nan")
    for value in (ssim(image, clean, data_range=1.0), vifp(image, clean, data_range=1.0)):
        assert value.isnan().tolist() == [True, False, False]
