"""Sense: its short normal operator, and what a full mask gives back."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.ops.coils import combine, expand, root_sum_of_squares
from isocenter.ops.fourier import fft, ifft
from isocenter.ops.sense import Sense
from isocenter.ops.solvers import conjugate_gradient
from tests.kspace_phantom import coil_phantom, line_mask

SIDES = (14, 11)


def random(*shape: int, seed: int = 1, dtype: torch.dtype = torch.complex64) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=dtype)


def lines(axis: int) -> Tensor:
    measured = torch.arange(SIDES[axis]) % 3 == 1
    return (measured[:, None] if axis == 0 else measured).expand(SIDES).clone()


MASKS = {
    "columns": lines(1)[None],
    "rows": lines(0)[None],
    "places": torch.rand(1, *SIDES, generator=generator(9)) < 0.4,
    "all": torch.ones(1, *SIDES, dtype=torch.bool),
    "a mask for every slice": torch.stack([lines(1), torch.roll(lines(1), 1, 1)]),
    "lines of one slice and places of another": torch.stack([lines(1), lines(0) | lines(1)]),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=list(MASKS))
@pytest.mark.parametrize("n_sets", [1, 2])
def test_the_short_way_is_the_long_way(mask: Tensor, n_sets: int) -> None:
    sense = Sense(random(2, n_sets, 3, *SIDES), mask)
    x = random(2, n_sets, *SIDES, seed=2)
    torch.testing.assert_close(sense.normal(x), sense.adjoint(sense(x)), rtol=1e-5, atol=1e-5)


def test_samples_broadcast_against_maps() -> None:
    sense = Sense(random(1, 2, 3, *SIDES), MASKS["places"])
    x = random(5, 1, 2, *SIDES, seed=3)
    one = sense.normal(x[2])
    torch.testing.assert_close(sense.normal(x)[2], one)
    torch.testing.assert_close(sense(x)[2], sense(x[2]))


def test_single_precision_agrees_with_double() -> None:
    maps, x = random(1, 1, 3, *SIDES), random(1, 1, *SIDES, seed=2)
    single, double = (
        Sense(maps.to(dtype), MASKS["columns"]) for dtype in (torch.complex64, torch.complex128)
    )
    wide = double.normal(x.to(torch.complex128))
    assert wide.dtype == torch.complex128
    torch.testing.assert_close(single.normal(x), wide.to(torch.complex64), rtol=1e-5, atol=1e-5)


def test_a_full_mask_gives_the_image_back() -> None:
    phantom = coil_phantom()
    everywhere = torch.ones(1, *phantom.image.shape, dtype=torch.bool)
    sense = Sense(phantom.maps[None, None], everywhere)
    image = phantom.image[None, None]
    assert (sense.H(phantom.kspace[None]) - image).abs().max() < 1e-5
    solved = conjugate_gradient(sense.normal, sense.H(phantom.kspace[None]), n_iterations=3)
    assert (solved - image).abs().max() < 1e-5


def test_undersampled_data_are_unfolded() -> None:
    phantom = coil_phantom(noise=1e-3)
    mask = line_mask((64, 60), 3, 12)
    sense = Sense(phantom.maps[None, None], mask[None])
    folded = sense.H(phantom.kspace[None])
    solved = conjugate_gradient(sense.normal, folded, n_iterations=40, tolerance=1e-4)
    errors = [
        float((x[0, 0] - phantom.image).norm() / phantom.image.norm()) for x in (folded, solved)
    ]
    assert errors[0] > 0.15
    assert errors[1] < 0.3 * errors[0]


def test_combining_undoes_expanding_under_unit_maps() -> None:
    phantom = coil_phantom()
    maps = phantom.maps[None]
    coils = expand(phantom.image[None], maps)
    torch.testing.assert_close(coils, ifft(phantom.kspace, (-2, -1)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(combine(coils, maps)[0], phantom.image, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        root_sum_of_squares(coils), phantom.image.abs(), rtol=1e-4, atol=1e-5
    )


def test_the_normal_operator_can_be_differentiated() -> None:
    sense = Sense(random(1, 1, 2, 4, 5, dtype=torch.complex128), torch.eye(4, 5)[None] > 0)
    x = random(1, 1, 4, 5, dtype=torch.complex128).requires_grad_()
    assert torch.autograd.gradcheck(sense.normal, (x,))


def test_the_transform_is_centred_and_keeps_energy() -> None:
    x = random(3, *SIDES)
    k = fft(x, (-2, -1))
    torch.testing.assert_close(k.norm(), x.norm())
    middle = k[:, SIDES[0] // 2, SIDES[1] // 2] * (SIDES[0] * SIDES[1]) ** 0.5
    torch.testing.assert_close(middle, x.sum((-2, -1)), rtol=1e-5, atol=1e-4)
