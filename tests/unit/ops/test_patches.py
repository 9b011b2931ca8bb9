"""Cubes and slices of HyS-Net."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from isocenter.data.phantom import head_phantom
from isocenter.data.preprocess import Patches, preprocess_from_json
from isocenter.data.random import generator
from isocenter.ops.patches import grid, looked_at, random_cubes, rescaled, starts_along, take

SMALL = Patches(side=16, stride=8)


@pytest.mark.parametrize(
    ("length", "n"), [(160, 3), (176, 3), (192, 3), (208, 4), (256, 5), (300, 6), (320, 6)]
)
def test_published_numbers_of_starts(length: int, n: int) -> None:
    starts = starts_along(length, 96, 48)
    assert len(starts) == n
    assert starts[0] == 0
    assert starts[-1] == length - 96
    assert all(b - a == 48 for a, b in pairwise(starts[:-1]))


def test_a_head_of_the_usual_size_has_75_cubes() -> None:
    assert len(grid((176, 256, 256), Patches())) == 75


def test_an_axis_that_fits_has_one_start() -> None:
    assert starts_along(96, 96, 48) == (0,)
    assert starts_along(40, 96, 48) == (0,)


def test_every_voxel_is_in_a_cube() -> None:
    data = torch.arange(20 * 33 * 17).reshape(20, 33, 17).float()
    cubes = take(data, grid(data.shape, SMALL), 16)
    assert set(cubes.unique().tolist()) == set(data.unique().tolist())


def test_a_scan_smaller_than_a_cube_is_padded_with_zeros() -> None:
    data = torch.ones(10, 20, 16)
    cubes = take(data, grid(data.shape, SMALL), 16)
    assert cubes.shape == (2, 1, 16, 16, 16)
    assert bool((cubes[:, :, :10] == 1).all())
    assert not bool(cubes[:, :, 10:].any())


def test_brightness_is_scaled_and_never_shifted() -> None:
    data = torch.rand(24, 24, 24, generator=generator(0)) * 500 + 200
    data[0, 0, 0] = 1e6
    literal = rescaled(data, Patches(mode="reference"))
    assert torch.allclose(literal, data / 1e6)
    robust = rescaled(data, Patches())
    below = robust < 1
    ratio = (robust / data)[below]
    assert torch.allclose(ratio, ratio[0].expand_as(ratio))
    assert float(below.float().mean()) == pytest.approx(0.999, abs=5e-4)
    assert torch.equal(rescaled(7 * data, Patches()), rescaled(7 * data, Patches()).clamp(1e-6, 1))
    assert torch.allclose(rescaled(7 * data, Patches()), robust, rtol=1e-5)


def test_zeros_become_the_floor() -> None:
    data = torch.zeros(8, 8, 8)
    assert bool((rescaled(data, Patches()) == 1e-6).all())
    data[0] = -3
    data[1] = 5
    assert float(rescaled(data, Patches()).min()) == pytest.approx(1e-6)


def test_a_large_scan_is_judged_by_every_second_voxel() -> None:
    data = torch.rand(104, 104, 104, generator=generator(1))
    rank = round(0.999 * 52**3)
    scale = data[::2, ::2, ::2].flatten().sort().values[rank - 1]
    assert torch.allclose(rescaled(data, Patches()), (data / scale).clamp(1e-6, 1))


def test_air_is_passed_over_in_robust_alone() -> None:
    data = torch.zeros(64, 64, 64)
    data[:24, :24, :24] = head_phantom((24, 24, 24)).data
    robust = looked_at(data, SMALL)
    literal = looked_at(data, Patches(mode="reference", side=16, stride=8))
    assert len(literal.starts) == 7**3
    assert 0 < len(robust.starts) < 4**3
    assert bool((robust.starts < 24).all())
    share = (robust.values > 1e-6).flatten(1).float().mean(1)
    assert bool((share > 0.04).all())


def test_a_scan_without_a_head_is_looked_at_whole() -> None:
    assert len(looked_at(torch.ones(24, 24, 24), SMALL).starts) == 8


def test_fewer_cubes_are_spread_evenly() -> None:
    data = head_phantom((48, 48, 48)).data
    every, some = looked_at(data, SMALL), looked_at(data, SMALL, most=9)
    assert len(some.starts) == 9
    places = [every.starts.tolist().index(start) for start in some.starts.tolist()]
    gaps = [b - a for a, b in pairwise(places)]
    assert max(gaps) - min(gaps) <= 1
    assert torch.equal(some.values, every.values[places])


def test_random_cubes_lie_inside_and_look_at_the_head() -> None:
    mask = torch.zeros(40, 50, 20, dtype=torch.bool)
    mask[20:24, 25:30, 8:12] = True
    starts = random_cubes(mask.shape, 16, 200, rng=generator(3), mask=mask)
    middle = starts + 8
    assert bool((starts >= 0).all())
    assert bool((starts <= torch.tensor([24, 34, 4])).all())
    assert set(middle[:, 0].tolist()) == {20, 21, 22, 23}
    anywhere = random_cubes(mask.shape, 16, 2000, rng=generator(3))
    assert [sorted(set(column.tolist())) for column in anywhere.T] == [
        list(range(25)), list(range(35)), list(range(5)),
    ]  # fmt: skip


def test_slices_are_the_middle_ones_on_a_square() -> None:
    data = torch.rand(20, 30, 10, generator=generator(0))
    seen = looked_at(data, Patches(n_dims=2, slice_side=24))
    assert seen.starts[:, 2].tolist() == [2, 3, 4, 5, 6, 7]
    assert seen.values.shape == (6, 1, 24, 24)
    bright = rescaled(data, Patches())
    assert torch.equal(seen.values[0, 0, 2:22], bright[:, 3:27, 2])
    assert not bool(seen.values[:, :, :2].any())


def test_numbers_come_back_from_a_header() -> None:
    numbers = Patches(side=64, mode="reference")
    assert preprocess_from_json(numbers.to_json()) == numbers
