"""Brightness on a common scale."""

from __future__ import annotations

import pytest
import torch

from isocenter.data.random import generator
from isocenter.errors import BadVolume
from isocenter.ops.intensity_scale import PERCENTILES, fit_scale


def scan(seed: int, gain: float = 1.0) -> torch.Tensor:
    return gain * torch.rand((12, 12, 12), generator=generator(seed)) ** 2


def test_two_scans_that_differ_by_a_gain_become_one() -> None:
    scale = fit_scale([scan(1), scan(2)])
    assert torch.allclose(scale(scan(3)), scale(scan(3, gain=700.0)), atol=1e-2)


def test_the_order_of_brightness_stays_and_the_landmarks_are_met() -> None:
    scale = fit_scale([scan(1), scan(2)])
    image = scan(3)
    mapped = scale(image)
    order = image.flatten().argsort()
    assert bool((mapped.flatten()[order].diff() >= -1e-5).all())
    foreground = mapped[image > image.mean()].double()
    found = torch.quantile(foreground, torch.tensor(PERCENTILES).double() / 100)
    assert torch.allclose(found, torch.tensor(scale.landmarks).double(), atol=0.5)


def test_there_and_back_is_where_one_began() -> None:
    import numpy as np

    scale = fit_scale([scan(1), scan(2)])
    image = scan(3)
    own = np.percentile(image[image > image.mean()].double().numpy(), PERCENTILES)
    assert torch.allclose(scale.back(scale(image), own.tolist()), image, atol=1e-4)


def test_a_single_image_is_mapped_from_1_to_100() -> None:
    scale = fit_scale([scan(1)])
    assert scale.landmarks[0] == pytest.approx(1)
    assert scale.landmarks[-1] == pytest.approx(100)


def test_a_constant_image_has_no_scale() -> None:
    with pytest.raises(BadVolume, match="constant"):
        fit_scale([torch.ones(4, 4, 4)])
