"""Slices as pictures: which way is up, what colours stand for, where a ring goes."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from isocenter.data.volume import Volume
from isocenter.ops.pictures import LARGEST_SIDE, RAMPS, RING, Mark, coloured, picture, strip

AFFINE = np.array([[2.0, 0, 0, -10], [0, 1, 0, 5], [0, 0, 4, 7], [0, 0, 0, 1]])


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def one_voxel(index: tuple[int, int, int]) -> Volume:
    data = torch.zeros(20, 40, 10)
    data[index] = 1
    return Volume(data, AFFINE)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_voxel_is_drawn_where_a_ring_around_it_goes(axis: int) -> None:
    index = (4, 31, 7)
    scan = one_voxel(index)
    blocks = pixels(picture(scan, 1 / 1.15, axis, index[axis], smooth=False))
    rows, columns = np.nonzero(blocks == 255)
    centre = tuple((AFFINE @ [*index, 1])[:3].tolist())
    ringed = pixels(picture(scan, 1.0, axis, index[axis], marks=[Mark(centre, 4.0)]))  # type: ignore[arg-type]
    ring = np.nonzero((ringed == RING).all(-1))
    assert abs(rows.mean() - ring[0].mean()) < 1
    assert abs(columns.mean() - ring[1].mean()) < 1


def test_left_is_right_and_up_is_up() -> None:
    axial = pixels(picture(one_voxel((0, 39, 5)), 1.0, 2, 5, smooth=False))
    assert axial[0, -1] > 0
    sagittal = pixels(picture(one_voxel((3, 0, 9)), 1.0, 0, 3, smooth=False))
    assert sagittal[0, 0] > 0


def test_pixels_are_square_in_mm() -> None:
    assert pixels(picture(one_voxel((0, 0, 0)), 1.0, 1, 0)).shape == (LARGEST_SIDE, LARGEST_SIDE)
    height, width = pixels(picture(one_voxel((0, 0, 0)), 1.0, 2, 0)).shape
    assert (height, width) == (LARGEST_SIDE, LARGEST_SIDE)


@pytest.mark.parametrize("ramp", RAMPS)
def test_colours_go_from_the_first_to_the_last(ramp: str) -> None:
    data = torch.linspace(-1, 1, 20)[:, None, None].expand(20, 40, 10).contiguous()
    made = pixels(coloured(Volume(data, AFFINE), ramp, -1.0, 1.0, 2, 0, smooth=False))
    assert tuple(made[5, -1]) == RAMPS[ramp][0]
    assert tuple(made[5, 0]) == RAMPS[ramp][-1]
    line = pixels(strip(ramp))[0]
    assert tuple(line[0]) == RAMPS[ramp][0]
    assert tuple(line[-1]) == RAMPS[ramp][-1]


def test_values_beyond_the_ends_take_the_colours_of_the_ends() -> None:
    scan = one_voxel((0, 0, 0))
    made = pixels(coloured(scan, "heat", 0.2, 0.5, 2, 0, smooth=False))
    assert tuple(made[-1, -1]) == RAMPS["heat"][-1]
    assert tuple(made[0, 0]) == RAMPS["heat"][0]
