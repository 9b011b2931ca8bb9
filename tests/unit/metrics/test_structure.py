"""UQI, MS-SSIM, IW-SSIM and VIFp by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.metrics.iw_ssim import iw_ssim
from isocenter.metrics.ms_ssim import WEIGHTS, ms_ssim
from isocenter.metrics.ssim import components, ssim
from isocenter.metrics.uqi import uqi
from isocenter.metrics.vifp import vifp


def pair(*shape: int, n_channels: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    rng = generator(len(shape))
    clean = torch.rand(2, n_channels, *shape, generator=rng, dtype=torch.float64)
    return clean + 0.1 * torch.randn(clean.shape, generator=rng, dtype=torch.float64), clean


@pytest.mark.parametrize("shape", [(24, 31), (12, 15, 11)])
def test_uqi_is_the_formula_over_windows_of_eight(shape: tuple[int, ...]) -> None:
    image, clean = pair(*shape)

    def window(values: np.ndarray) -> np.ndarray:
        inside = tuple(slice(4, side - 3) for side in shape)
        return scipy.ndimage.uniform_filter(values, 8)[inside]

    for n, value in enumerate(uqi(image, clean)):
        a, b = image[n, 0].numpy(), clean[n, 0].numpy()
        x, y, xy, energy = window(a), window(b), window(a * b), window(a * a) + window(b * b)
        expected = 4 * (xy - x * y) * x * y / ((energy - x**2 - y**2) * (x**2 + y**2))
        assert float(value) == pytest.approx(expected.mean(), rel=1e-10)


def test_uqi_of_flat_windows_compares_their_means() -> None:
    one, two, none = (torch.full((1, 1, 12, 12), value) for value in (0.1, 0.2, 0.0))
    assert float(uqi(one, two)) == pytest.approx(2 * 0.02 / 0.05)
    assert float(uqi(none, none)) == 1
    assert float(uqi(none, two)) == 0


@pytest.mark.parametrize("shape", [(22, 25), (21, 23, 24)])
def test_ms_ssim_of_two_scales_by_hand(shape: tuple[int, ...]) -> None:
    image, clean = pair(*shape)
    _, structure = components(image, clean, data_range=1.0, edges="valid")
    pool = {2: torch.nn.functional.avg_pool2d, 3: torch.nn.functional.avg_pool3d}[len(shape)]
    padding = [each for side in reversed(shape) for each in (0, side % 2)]
    small = [
        pool(torch.nn.functional.pad(each, padding, mode="replicate"), 2) for each in (image, clean)
    ]
    fine, coarse = structure.flatten(1).mean(1), ssim(*small, data_range=1.0)
    value = ms_ssim(image, clean, data_range=1.0, weights=(0.4, 0.6))
    assert torch.allclose(value, fine**0.4 * coarse**0.6)


def test_ms_ssim_of_one_scale_is_ssim() -> None:
    image, clean = pair(24, 26)
    one = ms_ssim(image, clean, data_range=1.0, weights=(1.0,))
    assert torch.allclose(one, ssim(image, clean, data_range=1.0))


def test_ms_ssim_counts_opposite_structure_as_nothing() -> None:
    _, clean = pair(24, 26)
    inverse = (1 - clean).requires_grad_()
    value = ms_ssim(inverse, clean, data_range=1.0, weights=(0.5, 0.5))
    assert value.tolist() == [0, 0]
    (slope,) = torch.autograd.grad(value.sum(), inverse)
    assert slope.isfinite().all()


def test_the_error_of_a_small_image_names_the_cure() -> None:
    image, clean = pair(100, 200)
    with pytest.raises(UsageError, match=r"161 pixels .* fewer weights"):
        ms_ssim(image, clean, data_range=1.0)
    with pytest.raises(UsageError, match="161 pixels"):
        iw_ssim(image, clean, data_range=1.0)
    assert ms_ssim(image, clean, data_range=1.0, weights=WEIGHTS[:4]).isfinite().all()


@pytest.mark.slow
def test_ms_ssim_of_a_volume_with_all_scales() -> None:
    rng = generator(3)
    clean = torch.rand(1, 1, 161, 162, 163, generator=rng)
    image = clean + 0.1 * torch.randn(clean.shape, generator=rng)
    assert 0.5 < float(ms_ssim(image, clean, data_range=1.0)) < 1


@pytest.mark.parametrize("measure", [ms_ssim, iw_ssim])
def test_channels_are_measured_apart(measure: object) -> None:
    assert callable(measure)
    image, clean = pair(161, 165, n_channels=2)
    together = measure(image, clean, data_range=1.0)
    apart = [measure(image[:, [c]], clean[:, [c]], data_range=1.0) for c in range(2)]
    assert torch.allclose(together, torch.stack(apart).mean(0))


def test_iw_ssim_weighs_places_alike_where_nothing_is_to_learn() -> None:
    image, _ = pair(161, 161)
    flat = torch.full_like(image, 0.5)
    value = iw_ssim(image, flat, data_range=1.0)
    assert ((value > 0) & (value < 1)).all()


def test_iw_ssim_forgives_most_where_the_reference_is_flat() -> None:
    _, clean = pair(170, 170)
    clean[..., :100] = 0.5
    inside, outside = clean.clone(), clean.clone()
    ripple = 0.2 * torch.sin(torch.arange(170.0)).double()[:, None]
    inside[..., 20:70] += ripple
    outside[..., 110:160] += ripple
    assert (iw_ssim(inside, clean, data_range=1.0) > 0).all()
    assert (iw_ssim(outside, clean, data_range=1.0) > iw_ssim(inside, clean, data_range=1.0)).all()


@pytest.mark.parametrize("shape", [(48, 44), (41, 42, 43)])
def test_vifp_of_more_contrast_is_above_one(shape: tuple[int, ...]) -> None:
    _, clean = pair(*shape)
    assert (vifp(1.2 * clean, clean, data_range=1.0) > 1).all()
    assert (vifp(0.8 * clean, clean, data_range=1.0) < 1).all()
    assert (vifp(clean + 0.1, clean, data_range=1.0) - 1).abs().max() < 1e-6


def test_vifp_without_information() -> None:
    _, clean = pair(44, 44)
    flat = torch.full_like(clean, 0.5)
    assert vifp(clean, flat, data_range=1.0).isnan().all()
    assert vifp(flat, clean, data_range=1.0).tolist() == [0, 0]
