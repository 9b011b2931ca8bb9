"""One brain is brought onto another."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isocenter.errors import UsageError
from isocenter.ops.register import bring, register_tissues

SHAPE = (60, 72, 60)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
AFFINE[:3, 3] = (-60, -72, -60)


def brain(affine: np.ndarray, shape: tuple[int, int, int]) -> torch.Tensor:
    """Three lopsided nested ellipsoids at fixed places of the world, on any grid."""
    index = np.indices(shape).reshape(3, -1)
    x, y, z = affine[:3, :3] @ index + affine[:3, 3:]
    outer = (x / 42) ** 2 + (y / 56) ** 2 + (z / 40) ** 2
    middle = ((x - 4) / 34) ** 2 + ((y + 6) / 44) ** 2 + ((z - 3) / 31) ** 2
    inner = ((x + 3) / 10) ** 2 + ((y - 8) / 22) ** 2 + ((z - 6) / 9) ** 2
    parts = [1 / (1 + np.exp(12 * (e - 1).clip(-4, 4))) for e in (outer, middle, inner)]
    maps = np.stack([parts[2], parts[0] - parts[1] * parts[0], (parts[1] - parts[2]).clip(0)])
    return torch.from_numpy((maps * (maps.sum(0) > 0.02)).reshape(3, *shape)).float()


def turned(
    degrees: float, scale: tuple[float, float, float], shift: tuple[float, float, float]
) -> np.ndarray:
    """World -> world: scaling, a turn about z and one about x, a shift."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    world = np.eye(4)
    world[:3, :3] = about_x @ about_z @ np.diag(scale)
    world[:3, 3] = shift
    return world


@pytest.mark.parametrize(
    ("degrees", "scale", "shift"),
    [
        (0, (1, 1, 1), (0, 0, 0)),
        (6, (1.05, 0.95, 1.0), (4, -7, 3)),
        (-10, (0.9, 0.9, 1.1), (12, 0, -9)),
    ],
)
def test_a_known_map_is_found_again(degrees, scale, shift) -> None:
    known = turned(degrees, scale, shift)
    # The fixed brain shows at x what the moving one shows at known(x), on a coarser grid.
    fixed_affine = np.diag([2.5, 2.0, 3.0, 1.0])
    fixed_affine[:3, 3] = (-70, -72, -66)
    fixed = brain(known @ fixed_affine, (56, 72, 44))
    moving = brain(AFFINE, SHAPE)
    found = register_tissues(moving, fixed, moving_affine=AFFINE, fixed_affine=fixed_affine)
    corners = np.array([[x, y, z, 1] for x in (-35, 35) for y in (-45, 45) for z in (-30, 30)]).T
    error = np.linalg.norm((found @ corners - known @ corners)[:3], axis=0)
    assert error.max() < 1.5
    again = torch.stack(
        [
            bring(m, found, image_affine=AFFINE, shape=(56, 72, 44), affine=fixed_affine)
            for m in moving
        ]
    )
    overlap = float(torch.minimum(again, fixed).sum() / torch.maximum(again, fixed).sum())
    assert overlap > 0.9


def test_bringing_back_is_the_image() -> None:
    image = brain(AFFINE, SHAPE)[1]
    same = bring(image, np.eye(4), image_affine=AFFINE, shape=SHAPE, affine=AFFINE)
    assert torch.allclose(same, image, atol=1e-5)


def test_brains_that_cannot_be_compared_are_refused() -> None:
    maps = brain(AFFINE, SHAPE)
    with pytest.raises(UsageError, match="2 tissues cannot"):
        register_tissues(maps[:2], maps, moving_affine=AFFINE, fixed_affine=AFFINE)
    with pytest.raises(UsageError, match="without tissue"):
        register_tissues(0 * maps, maps, moving_affine=AFFINE, fixed_affine=AFFINE)
