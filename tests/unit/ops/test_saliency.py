"""Saliency maps: their resampling and their laws."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.ops.saliency import _cubic_operator, _window, prior_saliency, spectral_residual

Map = Callable[[Tensor], Tensor]
KEY = torch.float64, torch.device("cpu")
both_maps = pytest.mark.parametrize("saliency", [spectral_residual, prior_saliency])


def greys(n: int = 3) -> torch.Tensor:
    return torch.rand(n, 45, 52, generator=generator(1), dtype=torch.float64)


@pytest.mark.parametrize(
    ("n_in", "n_out", "scale"), [(64, 16, 0.25), (45, 12, 0.25), (12, 45, 3.75)]
)
def test_cubic_resampling_is_the_library_s_away_from_the_border(
    n_in: int, n_out: int, scale: float
) -> None:
    operator = _cubic_operator(n_in, n_out, scale, *KEY)
    line = torch.rand(n_in, generator=generator(2), dtype=torch.float64)
    assert torch.allclose(operator.sum(1), torch.ones(n_out, dtype=torch.float64))
    if n_in * scale == n_out:
        theirs = torch.nn.functional.interpolate(
            line.expand(1, 1, 4, -1), size=(4, n_out), mode="bicubic", antialias=True
        )[0, 0, 0]
        edge = 2 + int(2 * scale)
        assert torch.allclose((operator @ line)[edge:-edge], theirs[edge:-edge], atol=1e-12)


def test_cubic_resampling_keeps_straight_lines() -> None:
    operator = _cubic_operator(20, 60, 3.0, *KEY)
    line = torch.arange(20, dtype=torch.float64)
    expected = (torch.arange(60, dtype=torch.float64) + 0.5) / 3 - 0.5
    assert torch.allclose((operator @ line)[9:-9], expected[9:-9])


def test_the_blur_sits_half_a_pixel_late() -> None:
    impulse = torch.zeros(31, dtype=torch.float64)
    impulse[15] = 1
    spread = _window(31, *KEY) @ impulse
    at = torch.arange(31, dtype=torch.float64)
    assert float(spread.sum()) == pytest.approx(1)
    assert float((spread * at).sum()) == pytest.approx(14.5)


@both_maps
def test_maps_span_0_to_1_or_nearly(saliency: Map) -> None:
    found = saliency(greys())
    assert found.shape == (3, 45, 52)
    assert float(found.amin()) > -0.05
    assert 0.9 < float(found.amax()) < 1.05


@both_maps
def test_an_image_s_map_does_not_know_the_batch(saliency: Map) -> None:
    images = greys() * torch.tensor([1.0, 0.5, 0.1], dtype=torch.float64)[:, None, None]
    alone = torch.cat([saliency(image[None]) for image in images])
    assert torch.allclose(saliency(images), alone, atol=1e-9)


def test_an_even_image_has_no_saliency() -> None:
    assert not prior_saliency(torch.full((1, 40, 40), 0.3)).any()
    assert spectral_residual(torch.full((1, 40, 40), 0.3)).isfinite().all()
