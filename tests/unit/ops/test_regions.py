"""Where the head is: on a ball of known size, in noise, with holes, and on nothing."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from isocenter.ops.regions import head_mask, head_scale, otsu_threshold

SIDE = 48


def ball(radius: float = 16, side: int = SIDE, brightness: float = 100.0) -> torch.Tensor:
    axis = torch.arange(side) - (side - 1) / 2
    distance = (axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None] ** 2).sqrt()
    return brightness * (distance <= radius).float()


def covered(part: torch.Tensor, by: torch.Tensor) -> float:
    """Share of ``part`` that lies in ``by``."""
    return float((part & by).sum() / part.sum())


@pytest.mark.parametrize("noise", [0.0, 5.0, 15.0])
def test_the_mask_of_a_ball_is_the_ball_and_its_edge(noise: float) -> None:
    rng = torch.Generator().manual_seed(0)
    image = ball() + noise * torch.randn(SIDE, SIDE, SIDE, generator=rng)
    mask = head_mask(image)
    assert covered(ball() > 0, by=mask) > 0.99
    assert covered(mask, by=ball(radius=18.5) > 0) > 0.99


def test_a_cavity_belongs_to_the_head() -> None:
    image = ball() - ball(radius=6)
    assert head_mask(image)[SIDE // 2, SIDE // 2, SIDE // 2]


def test_a_bright_speck_apart_does_not_belong_to_the_head() -> None:
    image = ball(radius=12)
    image[1:5, 1:5, 1:5] = 100.0
    assert not head_mask(image)[:6, :6, :6].any()


@pytest.mark.parametrize("value", [0.0, 7.0, 0.1])
def test_a_constant_image_has_no_head(value: float) -> None:
    mask = head_mask(torch.full((8, 9, 90), value))
    assert mask.shape == (8, 9, 90)
    assert not mask.any()


@pytest.mark.parametrize("shape", [(1, 40, 40), (40, 1, 33), (150, 20, 7), (2, 2, 2)])
def test_any_shape_gets_a_mask_of_its_shape(shape: tuple[int, ...]) -> None:
    image = torch.rand(*shape, generator=torch.Generator().manual_seed(1))
    assert head_mask(image).shape == shape


@given(scale=some.floats(1e-3, 1e5))
def test_the_mask_does_not_depend_on_the_unit(scale: float) -> None:
    image = ball(side=24, radius=8)
    assert torch.equal(head_mask(image * scale), head_mask(image))


def test_the_scale_is_the_brightness_of_the_head() -> None:
    assert head_scale(ball(brightness=250.0)) == pytest.approx(250.0)


def test_a_hot_voxel_does_not_move_the_scale() -> None:
    image = ball()
    image[SIDE // 2, SIDE // 2, SIDE // 2] = 1e6
    assert head_scale(image) == pytest.approx(100.0)


def test_the_scale_of_an_empty_mask_is_positive() -> None:
    nothing = torch.zeros(4, 4, 4)
    assert head_scale(nothing, nothing.bool()) == 1.0
    assert head_scale(nothing + 3, nothing.bool()) == 3.0


@given(gap=some.floats(1, 100), share=some.floats(0.1, 0.9))
def test_otsu_lies_between_two_classes(gap: float, share: float) -> None:
    rng = np.random.default_rng(3)
    upper = rng.random(2000) < share
    values = rng.normal(0, 0.05, 2000) + gap * upper
    assert values[~upper].max() - gap / 256 <= otsu_threshold(values) + gap / 128
    assert otsu_threshold(values) < values[upper].min()
