"""Places off the grid: against the direct sum, and on the grid against the grid."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.errors import MissingExtra
from isocenter.ops.nufft import NonUniformSense, density_compensation
from isocenter.ops.sense import Sense

GRIDS = [(10, 13), (12, 8)]


def random(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.complex64)


def scattered(n: int, grid: tuple[int, int]) -> Tensor:
    return (torch.rand(n, 2, generator=generator(4)) - 0.5) * torch.tensor(grid)


def cartesian(grid: tuple[int, int]) -> Tensor:
    rows, columns = (torch.arange(n) - n // 2 for n in grid)
    return torch.cartesian_prod(rows, columns).float()


def radial(n: int, n_spokes: int) -> Tensor:
    angle = torch.arange(n_spokes) * torch.pi / n_spokes
    radius = torch.arange(n) - n // 2
    spokes = torch.stack([radius * angle.sin()[:, None], radius * angle.cos()[:, None]], -1)
    return spokes.flatten(0, 1).float()


@pytest.mark.parametrize("grid", GRIDS)
def test_it_is_the_sum_over_pixels(grid: tuple[int, int]) -> None:
    places, maps, x = scattered(50, grid), random(2, 2, 3, *grid), random(2, 2, *grid, seed=2)
    turns = places.double() @ (cartesian(grid).double() / torch.tensor(grid)).T
    waves = torch.polar(torch.ones_like(turns), -2 * torch.pi * turns)
    coils = (maps * x.unsqueeze(-3)).sum(1).flatten(-2).to(torch.complex128)
    slow = coils @ waves.T / (grid[0] * grid[1]) ** 0.5
    fast = NonUniformSense(maps, places)(x)
    assert fast.dtype == torch.complex64
    assert (fast - slow).abs().max() < 1e-5 * slow.abs().max()


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
@pytest.mark.parametrize("grid", GRIDS)
def test_the_adjoint_is_one(grid: tuple[int, int], dtype: torch.dtype) -> None:
    sense = NonUniformSense(random(2, 1, 3, *grid).to(dtype), scattered(70, grid))
    x, y = random(2, 1, *grid, seed=2).to(dtype), random(2, 3, 70, seed=3).to(dtype)
    left, right = (
        torch.vdot(sense(x).flatten(), y.flatten()),
        torch.vdot(x.flatten(), sense.H(y).flatten()),
    )
    assert (left - right).abs() < (1e-5 if dtype == torch.complex64 else 1e-11) * left.abs()


@pytest.mark.parametrize("grid", GRIDS)
def test_on_the_grid_it_is_the_transform_of_the_grid(grid: tuple[int, int]) -> None:
    maps, x = random(1, 1, 3, *grid), random(1, 1, *grid, seed=2)
    on_grid = Sense(maps, torch.ones(1, *grid, dtype=torch.bool))(x).flatten(-2)
    torch.testing.assert_close(
        NonUniformSense(maps, cartesian(grid))(x), on_grid, rtol=1e-5, atol=2e-5
    )


def test_a_full_grid_needs_no_weights() -> None:
    places = cartesian((12, 9))
    torch.testing.assert_close(density_compensation(places, (12, 9)), torch.ones(108))
    twice = torch.cat([places, places])
    torch.testing.assert_close(density_compensation(twice, (12, 9)), torch.full((216,), 0.5))


def test_weights_of_spokes_rise_from_the_centre() -> None:
    n, n_spokes = 32, 50
    weights = density_compensation(radial(n, n_spokes), (n, n), n_iterations=20)
    mean = weights.reshape(n_spokes, n).mean(0)[n // 2 :]
    radius = torch.arange(n // 2, dtype=torch.float32)
    # A ring between two radii has as much room as its spokes weigh together.
    expected = radius * torch.pi / n_spokes
    ratio = mean[2:13] / expected[2:13]
    torch.testing.assert_close(ratio, torch.ones_like(ratio), rtol=0.1, atol=0)
    assert float(ratio.max() / ratio.min()) < 1.03


def test_weighted_adjoint_of_spokes_gives_the_image_back() -> None:
    n = 32
    rows, columns = (torch.arange(n) - n // 2 for _ in range(2))
    image = torch.exp(-((rows[:, None] + 3) ** 2 + (columns - 4) ** 2) / 30).to(torch.complex64)
    places = radial(n, 60)
    sense = NonUniformSense(torch.ones(1, 1, 1, n, n, dtype=torch.complex64), places)
    samples = sense(image[None, None])
    weights = density_compensation(places, (n, n), n_iterations=20)
    assert misfit(sense.H(samples * weights)[0, 0], image) < 0.15
    assert misfit(sense.H(samples)[0, 0], image) > 0.3


def misfit(found: Tensor, image: Tensor) -> float:
    """Relative error at the best common scale."""
    scale = torch.vdot(found.flatten(), image.flatten()) / found.norm() ** 2
    return float((scale * found - image).norm() / image.norm())


def test_without_finufft_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "finufft", None)
    sense = NonUniformSense(random(1, 1, 2, 4, 4), scattered(5, (4, 4)))
    with pytest.raises(MissingExtra, match=r"isocenter\[nufft\]"):
        sense(random(1, 1, 4, 4))
