"""Canny's edges on shapes whose edges are known."""

from __future__ import annotations

import pytest
import torch

from isocenter.ops.edges import canny


def disc(side: int, radius: float) -> torch.Tensor:
    at = torch.arange(side) - (side - 1) / 2
    return (torch.hypot(*torch.meshgrid(at, at, indexing="ij")) < radius).double()


def test_the_edge_of_a_disc_is_a_closed_circle() -> None:
    edges = canny(disc(64, 20)[None], sigma=1.0, low=0.1, high=0.3)[0]
    rows, columns = torch.nonzero(edges, as_tuple=True)
    radii = torch.hypot(rows - 31.5, columns - 31.5)
    assert radii.min() > 18
    assert radii.max() < 22
    angles = torch.atan2(rows - 31.5, columns - 31.5).sort().values
    assert angles.diff().max() < 0.15


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_edges_turn_with_the_image(turns: int) -> None:
    image = disc(33, 9) + torch.rot90(torch.triu(torch.ones(33, 33, dtype=torch.float64)))
    found = canny(image[None], sigma=1.5, low=0.08, high=0.13)[0]
    turned = canny(image.rot90(turns)[None], sigma=1.5, low=0.08, high=0.13)[0]
    assert (found.rot90(turns) != turned).double().mean() < 0.01


def test_weak_edges_stay_only_where_they_touch_strong_ones() -> None:
    image = torch.zeros(1, 64, 48, dtype=torch.float64)
    image[:, :, 12:] = torch.linspace(0.15, 1, 64, dtype=torch.float64)[:, None]
    image[:, 6:11, 30:35] += 0.2
    found = canny(image, sigma=1.0, low=0.1, high=0.5)[0]
    assert found[:, 10:14].any(1).all()
    assert not found[:16, 24:41].any()


def test_an_even_image_has_none() -> None:
    assert not canny(torch.full((2, 20, 20), 0.7), sigma=2.0, low=0.1, high=0.2).any()
