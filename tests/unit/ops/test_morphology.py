"""Growing and shrinking masks, against scipy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.ndimage
import torch

from isocenter.ops.morphology import erode6, erode18, grow, magnify, open6, open18

CROSS = scipy.ndimage.generate_binary_structure(3, 1)
CUT_CUBE = scipy.ndimage.generate_binary_structure(3, 2)
SHAPES = [(13, 17, 9), (12, 8, 1), (1, 1, 1)]


def mask(shape: tuple[int, ...], share: float = 0.8) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) < share


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("ours", "theirs", "structure"),
    [
        (erode6, scipy.ndimage.binary_erosion, CROSS),
        (erode18, scipy.ndimage.binary_erosion, CUT_CUBE),
        (open6, scipy.ndimage.binary_opening, CROSS),
        (open18, scipy.ndimage.binary_opening, CUT_CUBE),
    ],
)
def test_masks_shrink_and_open_as_in_scipy(
    shape: tuple[int, ...],
    ours: Callable[[torch.Tensor], torch.Tensor],
    theirs: Callable[..., np.ndarray],
    structure: np.ndarray,
) -> None:
    given = mask(shape)
    before = given.clone()
    assert np.array_equal(ours(given).numpy(), theirs(given.numpy(), structure))
    assert torch.equal(given, before)


def test_an_opening_may_reach_beyond_the_border() -> None:
    given = mask((13, 17, 9))
    padded = np.pad(given.numpy(), 1, constant_values=True)
    expected = scipy.ndimage.binary_opening(padded, CUT_CUBE)[1:-1, 1:-1, 1:-1]
    assert np.array_equal(open18(given, outside=True).numpy(), expected)


def test_a_voxel_grows_into_a_box() -> None:
    given = torch.zeros(9, 9, 9, dtype=torch.bool)
    given[4, 1, 4] = True
    expected = torch.zeros_like(given)
    expected[2:7, 0:3, 4:5] = True
    assert torch.equal(grow(given, (2, 1, 0)), expected)


def test_cells_become_blocks_cut_to_the_image() -> None:
    cells = mask((3, 2, 4)).numpy()
    fine = magnify(cells, (2, 3, 1), (5, 6, 4))
    assert fine.shape == (5, 6, 4)
    assert all(fine[i, j, k] == cells[i // 2, j // 3, k] for i, j, k in np.ndindex(fine.shape))
