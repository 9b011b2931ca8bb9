"""What the grey 2-D metrics share, and what one contract for all metrics cannot hold."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import torch
from torch import Tensor

from isocenter import registry
from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.metrics import _grey
from isocenter.metrics._grey import average_down, pooled, similarity, similarity_of_squares
from isocenter.metrics.gsm import gsm
from isocenter.metrics.haarpsi import haarpsi
from isocenter.metrics.rfsim import rfsim
from isocenter.metrics.vsi import vsi

NAMES = ("dss", "fsim", "gsm", "haarpsi", "mdsi", "rfsim", "sr_sim", "vsi")
every_name = pytest.mark.parametrize("name", NAMES)


def pair(height: int = 48, width: int = 53, n: int = 2) -> tuple[Tensor, Tensor]:
    """Waves with texture, and the same with noise; from 0 to about 1."""
    rng = generator(5)
    down = torch.sin(torch.arange(height, dtype=torch.float64) / 5)[:, None]
    across = torch.cos(torch.arange(width, dtype=torch.float64) / 7)
    texture = torch.rand(n, 1, height, width, generator=rng, dtype=torch.float64)
    clean = 0.4 + 0.2 * down * across + 0.2 * texture
    noise = torch.randn(clean.shape, generator=rng, dtype=torch.float64)
    return clean + 0.05 * noise, clean


@every_name
def test_colours_are_refused_in_one_sentence(name: str) -> None:
    image = torch.zeros(1, 3, 64, 64)
    with pytest.raises(UsageError, match="grey images, one channel; got 3 channels"):
        getattr(registry.metrics.get(name), name)(image, image, data_range=1.0)


@every_name
def test_whole_numbers_and_half_precision_are_scored(name: str) -> None:
    metric = getattr(registry.metrics.get(name), name)
    image, clean = ((255 * values).round().clamp(0, 255) for values in pair())
    exact = metric(image, clean, data_range=255)
    for kind in (torch.uint8, torch.int16, torch.float16):
        found = metric(image.to(kind), clean.to(kind), data_range=255)
        assert found.dtype == torch.float32
        assert torch.allclose(found.double(), exact, rtol=1e-4)


@every_name
def test_chunks_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    metric = getattr(registry.metrics.get(name), name)
    image, clean = pair(n=5)
    whole = metric(image, clean, data_range=1.0)
    monkeypatch.setattr(_grey, "CHUNK_PIXELS", 2 * 48 * 53)
    assert torch.allclose(metric(image, clean, data_range=1.0), whole)
    assert metric(image[:0], clean[:0], data_range=1.0).shape == (0,)


@every_name
def test_large_images_are_averaged_down_and_their_masks_too(name: str) -> None:
    metric = getattr(registry.metrics.get(name), name)
    image, clean = pair(391, 387, n=1)
    value = metric(image, clean, data_range=1.0)
    if name != "dss":
        mask = torch.ones(391, 387, dtype=torch.bool)
        assert torch.allclose(metric(image, clean, data_range=1.0, mask=mask), value, rtol=0.05)
    assert bool(value.isfinite().all())


@pytest.mark.parametrize("sides", [(12, 16), (13, 15)])
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_averaging_down_is_a_same_convolution(sides: tuple[int, int], factor: int) -> None:
    """As MATLAB cuts it: the middle part, the later one where there are two."""
    image = torch.rand(1, 1, *sides, generator=generator(1), dtype=torch.float64)
    full = scipy.signal.convolve2d(image[0, 0], np.full((factor, factor), 1 / factor**2))
    first = factor // 2
    same = full[first : first + sides[0] : factor, first : first + sides[1] : factor]
    found = average_down(image, side=12 // factor)[0, 0].numpy()
    rows, columns = found.shape
    assert np.allclose(found, same[:rows, :columns])
    assert max(same.shape[0] - rows, same.shape[1] - columns) <= 1


def test_similarities_agree() -> None:
    a, b = torch.rand(2, 7, 7, generator=generator(2), dtype=torch.float64)
    assert torch.allclose(similarity(a, b, 0.3), similarity_of_squares(a**2, b**2, 0.3))


def test_pooling_without_any_weight_is_the_mean() -> None:
    quality = torch.rand(2, 1, 4, 4, generator=generator(3))
    mean = quality.flatten(1).mean(1)
    assert torch.allclose(pooled(quality, torch.zeros_like(quality), None), mean)
    assert pooled(quality, torch.ones_like(quality), torch.zeros(2, 1, 4, 4)).isnan().all()


def test_haarpsi_for_medicine_is_stricter_and_other_names_are_refused() -> None:
    image, clean = pair()
    photographs = haarpsi(image, clean, data_range=1.0)
    medicine = haarpsi(image, clean, data_range=1.0, constants="med")
    assert (medicine < photographs).all()
    with pytest.raises(UsageError, match="did you mean 'med'"):
        haarpsi(image, clean, data_range=1.0, constants="medi")


def test_haarpsi_of_empty_images_is_1() -> None:
    empty = torch.zeros(1, 1, 16, 16)
    assert haarpsi(empty, empty, data_range=1.0).tolist() == pytest.approx([1], abs=1e-5)


def test_gsm_by_hand() -> None:
    """A step of 160 against one of 80, far from any other gradient."""
    clean = torch.zeros(1, 1, 5, 40, dtype=torch.float64)
    clean[..., 20:] = 160
    image = clean / 2
    mask = torch.zeros(5, 40)
    mask[2, 19] = 1
    # Left of the step two columns on the right see it: 16 / 25 of the step's height.
    larger, smaller = 160 * 16 / 25, 80 * 16 / 25
    relative, share = (larger - smaller) / larger, 200 / larger
    g = (2 * (1 - relative) + share) / (1 + (1 - relative) ** 2 + share)
    luminance = 1.0  # the pixel itself is 0 in both
    found = gsm(image, clean, data_range=255.0, mask=mask)
    assert float(found) == pytest.approx((1 - 0.1 * g) * g + 0.1 * g * luminance)


def test_a_change_of_brightness_costs_gsm_its_luminance_share() -> None:
    _, clean = pair()
    brighter = gsm(clean + 0.2, clean, data_range=1.0)
    assert brighter.tolist() == pytest.approx([1 - 0.1 * 0.2**2] * 2)


def test_rfsim_looks_at_edges() -> None:
    clean = torch.zeros(1, 1, 64, 64, dtype=torch.float64)
    clean[..., 20:44, 20:44] = 1
    at_edge, in_air = clean.clone(), clean.clone()
    at_edge[..., 20, 20:44] = 0.5
    in_air[..., 2, 20:44] = 0.02
    assert float(rfsim(in_air, clean, data_range=1.0)) > float(
        rfsim(at_edge, clean, data_range=1.0)
    )


def test_frozen_values_of_the_metrics_without_an_oracle() -> None:
    """Not validated against the originals: these only notice a change."""
    image, clean = pair()
    frozen = {gsm: [0.991400503, 0.991739943], rfsim: [0.131329986, 0.128262480]}
    for metric, values in frozen.items():
        assert metric(image, clean, data_range=1.0).tolist() == pytest.approx(values, rel=1e-7)


def test_vsi_counts_the_centre_more() -> None:
    _, clean = pair(64, 64)
    centre, corner = clean.clone(), clean.clone()
    patch = torch.rand(8, 8, generator=generator(9), dtype=torch.float64)
    centre[..., 28:36, 28:36] = patch
    corner[..., :8, -8:] = patch
    assert (vsi(centre, clean, data_range=1.0) < vsi(corner, clean, data_range=1.0)).all()
