"""A curve of brightness, found through a blur."""

from __future__ import annotations

import pytest
import torch

from isocenter.data.random import generator
from isocenter.ops.brightness_map import BrightnessMap, fit_brightness_map
from isocenter.ops.thick_slices import Acquisition, thick_slices

LINEAR = thick_slices((20, 20, 32), 2, Acquisition(4))
IMAGE = torch.rand(20, 20, 32, generator=generator(1)) ** 2
INSIDE = torch.ones(20, 20, 8, dtype=torch.bool)


def test_a_curve_is_found_through_the_blur() -> None:
    true = BrightnessMap(torch.tensor([0.0, 0.3, 1.0]).double(), torch.tensor([5, 20, 22]).double())
    seen = LINEAR(true(IMAGE)) + 0.01 * torch.randn(20, 20, 8, generator=generator(2))
    found = fit_brightness_map(LINEAR, IMAGE, seen, INSIDE)
    assert float((LINEAR(found(IMAGE)) - LINEAR(true(IMAGE))).abs().mean()) < 0.25
    assert float((true(LINEAR(IMAGE)) - LINEAR(true(IMAGE))).abs().mean()) > 0.3


def test_it_never_falls() -> None:
    seen = LINEAR(1 - IMAGE)
    found = fit_brightness_map(LINEAR, IMAGE, seen, INSIDE)
    assert bool((found.slopes >= 0).all())
    assert found.values.tolist() == pytest.approx(
        [float(seen.mean())] * len(found.values), rel=1e-2
    )


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e4])
def test_units_do_not_matter(factor: float) -> None:
    plain = fit_brightness_map(LINEAR, IMAGE, LINEAR(IMAGE).sqrt(), INSIDE)(IMAGE)
    other = fit_brightness_map(LINEAR, factor * IMAGE, LINEAR(IMAGE).sqrt(), INSIDE)(factor * IMAGE)
    assert torch.allclose(plain, other, atol=1e-4)


def test_the_same_brightness_gives_the_identity() -> None:
    found = fit_brightness_map(LINEAR, IMAGE, LINEAR(IMAGE), INSIDE)
    assert torch.allclose(found(IMAGE), IMAGE, atol=1e-5)
    assert torch.allclose(found.slope(IMAGE), torch.ones_like(IMAGE), atol=1e-3)


def test_outer_lines_go_on() -> None:
    curve = BrightnessMap(torch.tensor([0.0, 1.0, 2.0]).double(), torch.tensor([0, 1, 3]).double())
    given = torch.tensor([-1.0, 0.5, 1.5, 3.0]).reshape(2, 2, 1)
    assert curve(given).flatten().tolist() == pytest.approx([-1.0, 0.5, 2.0, 5.0])
    assert curve.slope(given).flatten().tolist() == pytest.approx([1.0, 1.0, 2.0, 2.0])


def test_an_even_image_has_no_curve() -> None:
    even = torch.ones(20, 20, 32)
    found = fit_brightness_map(LINEAR, even, LINEAR(even), INSIDE)
    assert torch.equal(found(IMAGE), IMAGE)
