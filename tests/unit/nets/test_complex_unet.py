"""The compact prior: its size, its preconditioning, and crops beside the whole."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.nets.complex_unet import ComplexUNet, Config, build

SMALL = Config(widths=(4, 6), n_down=(1, 1), n_up=(1,), n_condition=8)


def awake(config: Config = SMALL) -> ComplexUNet:
    """With weights that are nowhere zero."""
    net, rng = build(config).eval(), generator(3)
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_(0.3 * torch.randn(weight.shape, generator=rng))
    return net


def ask(net: ComplexUNet, noisy: Tensor, sigma: float, kept: float = 0.0) -> Tensor:
    n = len(noisy)
    with torch.inference_mode():
        said: Tensor = net(noisy, torch.full((n,), math.log(sigma)), torch.full((n,), kept))
    return said


def test_the_shipped_size_fits_into_ten_megabytes_of_short_numbers() -> None:
    assert 2 * sum(weight.numel() for weight in build(Config()).parameters()) < 10e6


def test_a_new_network_says_the_best_linear_answer() -> None:
    """Its inner part begins as an offset, so what is left is EDM's share of the noisy image."""
    net = build(SMALL).eval()
    torch.nn.init.zeros_(net.out.bias)
    noisy = torch.randn(1, 2, 16, 16, generator=generator(0))
    for sigma in (0.01, 0.4, 2.0):
        wiener = SMALL.sigma_data**2 / (SMALL.sigma_data**2 + sigma**2)
        assert torch.allclose(ask(net, noisy, sigma), wiener * noisy, atol=1e-6)


def test_without_noise_the_image_is_left_alone() -> None:
    noisy = torch.randn(1, 2, 16, 16, generator=generator(0))
    assert torch.allclose(ask(awake(), noisy, 1e-7), noisy, atol=1e-4)


def test_a_crop_is_answered_as_the_whole_is() -> None:
    """No layer looks at the whole image: away from the edges a crop says the same."""
    net = awake()
    whole = torch.randn(1, 2, 64, 96, generator=generator(1))
    margin = 20
    crop = whole[..., 4:, 32:]
    expected = ask(net, whole, 0.2)[..., 4 + margin : 64 - margin, 32 + margin : 96 - margin]
    found = ask(net, crop, 0.2)[..., margin:-margin, margin:-margin]
    assert torch.allclose(found, expected, atol=1e-5)


def test_both_conditions_are_heard() -> None:
    net = awake()
    noisy = torch.randn(1, 2, 16, 16, generator=generator(2))
    assert not torch.allclose(ask(net, noisy, 0.1), ask(net, noisy, 0.2), atol=1e-3)
    assert not torch.allclose(ask(net, noisy, 0.1), ask(net, noisy, 0.1, kept=0.1), atol=1e-3)


def test_short_numbers_do_not_spoil_a_nearly_clean_image() -> None:
    net = awake()
    noisy = 0.5 * torch.randn(1, 2, 32, 32, generator=generator(2))
    exact = ask(net, noisy, 0.005)
    with torch.autocast("cpu", torch.bfloat16):
        short = ask(net, noisy, 0.005)
    assert short.dtype == torch.float32
    assert (short - exact).square().mean().sqrt() < 0.05 * (exact - noisy).square().mean().sqrt()


def test_levels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="n_up"):
        build(Config(widths=(8, 16), n_down=(1, 1), n_up=(1, 1)))
