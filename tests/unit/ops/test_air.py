"""The air around a ball, and what is put into it."""

from __future__ import annotations

import pytest
import torch

from isocenter.ops.air import (
    above_face,
    background_mask,
    far_part,
    frame_mask,
    noise_mask,
    structure_mask,
)
from tests.unit.measures._heads import HEAD, SIDE, image, radius

ONE_MM = (1.0, 1.0, 1.0)
NOTHING = torch.zeros(SIDE, SIDE, SIDE, dtype=torch.bool)


def test_noise_has_no_frame_even_when_quantised() -> None:
    assert not frame_mask(image()).any()
    assert not frame_mask((image() / 8).floor()).any()


def test_a_padded_border_is_a_frame_and_nothing_else_is() -> None:
    data = image().clamp_min(1)
    data[:5], data[:, :, -3:] = 0, -1
    expected = NOTHING.clone()
    expected[:5], expected[:, :, -3:] = True, True
    assert torch.equal(frame_mask(data), expected)


def test_few_blank_voxels_are_chance() -> None:
    data = image().clamp_min(1)
    data[10:17, 10:17, 10:17] = 0
    assert not frame_mask(data).any()


def test_the_background_keeps_its_distance() -> None:
    around = background_mask(HEAD, NOTHING, spacing=ONE_MM)
    assert not around[radius() < 27].any()
    assert around[radius() > 24 + 4 * 3**0.5 + 1].all()


def test_the_plane_lies_below_the_vertex_by_the_breadth() -> None:
    above = above_face(HEAD, spacing=ONE_MM)
    lowest = int(above.any(0).any(0).nonzero().min())
    vertex = int(HEAD.any(0).any(0).nonzero().max())
    assert vertex - lowest == pytest.approx(0.65 * 48, abs=2)
    assert above[:, :, lowest:].all()


def test_the_plane_is_found_in_millimetres() -> None:
    flat = HEAD[:, :, ::2]
    assert above_face(flat, spacing=(1.0, 1.0, 2.0)).sum() == pytest.approx(
        int(above_face(HEAD, spacing=ONE_MM).sum()) / 2, rel=0.05
    )


def test_without_a_head_nothing_is_above_it() -> None:
    assert not above_face(NOTHING, spacing=ONE_MM).any()


def test_the_far_part_leaves_a_tenth_out() -> None:
    far = far_part(~HEAD, HEAD)
    largest = float(radius().max()) - 24
    assert not far[radius() < 24 + 0.1 * largest - 1].any()
    assert far[radius() > 24 + 0.1 * largest + 1].all()


@pytest.mark.parametrize(("size", "found"), [(6, 216 - 56), (2, 0)])
def test_structure_is_bright_and_solid(size: int, found: int) -> None:
    data = image()
    data[3 : 3 + size, 3 : 3 + size, 50 : 50 + size] = 400.0
    structure = structure_mask(data, ~HEAD)
    assert int(structure.sum()) == pytest.approx(found, abs=2)
    noise = noise_mask(~HEAD, structure, spacing=ONE_MM)
    assert not (noise & structure).any()
    if found:
        assert not noise[3:9, 3:9, 50:56].any()


def test_blank_air_has_no_structure() -> None:
    assert not structure_mask(torch.zeros(SIDE, SIDE, SIDE), ~HEAD).any()
