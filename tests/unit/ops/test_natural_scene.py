"""Local normalisation and fits of distributions: against loops, and on draws of known ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.ndimage
import scipy.special
import torch

from isocenter.data.random import generator
from isocenter.ops.natural_scene import (
    contrast_normalised,
    fit_asymmetric,
    fit_symmetric,
    fit_weibull,
    neighbour_products,
    patches,
    width_over_deviation,
)

N_DRAWS = 200_000


def draws(shape: float, *, left: float = 1.0, right: float = 1.0) -> torch.Tensor:
    """Of an asymmetric generalised Gaussian with these scale parameters."""
    rng = np.random.default_rng(int(100 * shape))
    sizes = rng.gamma(1 / shape, size=N_DRAWS) ** (1 / shape)
    on_the_left = rng.random(N_DRAWS) < left / (left + right)
    return torch.from_numpy(np.where(on_the_left, -left * sizes, right * sizes))


@pytest.mark.parametrize("shape", [0.5, 1.0, 2.0, 4.0])
def test_a_symmetric_gaussian_is_found_again(shape: float) -> None:
    found, variance = fit_symmetric(3 * draws(shape)[None])
    expected = 9 * scipy.special.gamma(3 / shape) / scipy.special.gamma(1 / shape)
    assert float(found) == pytest.approx(shape, rel=0.03)
    assert float(variance) == pytest.approx(expected, rel=0.03)
    assert float(width_over_deviation(found) * variance.sqrt()) == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("shape", [0.5, 1.0, 2.0])
def test_an_asymmetric_gaussian_is_found_again(shape: float) -> None:
    values = draws(shape, left=1.0, right=2.5)
    found = fit_asymmetric(values[None])
    scale = width_over_deviation(found.shape)
    assert float(found.shape) == pytest.approx(shape, rel=0.05)
    assert float(found.left * scale) == pytest.approx(1.0, rel=0.05)
    assert float(found.right * scale) == pytest.approx(2.5, rel=0.05)
    assert float(found.mean) == pytest.approx(float(values.mean()), rel=0.05)


def test_the_mirrored_values_have_the_mirrored_fit() -> None:
    values = draws(1.3, left=0.5, right=2.0)[None]
    here, there = fit_asymmetric(values), fit_asymmetric(-values)
    assert torch.allclose(torch.stack(here[:2]), torch.stack([there.shape, -there.mean]))
    assert torch.allclose(torch.stack(here[2:]), torch.stack([there.right, there.left]))


def test_the_exponent_stays_within_the_table() -> None:
    two_valued = torch.tensor([[-1.0, 1.0] * 50]).double()
    assert float(fit_symmetric(two_valued)[0]) == pytest.approx(10.0)
    lonely = torch.zeros(1, 10_000).double()
    lonely[0, 0] = 1
    assert float(fit_symmetric(lonely)[0]) == pytest.approx(0.2)


def test_what_has_one_side_or_nothing_is_not_fitted() -> None:
    assert bool(fit_asymmetric(torch.ones(1, 9)).shape.isnan())
    assert bool(fit_symmetric(torch.zeros(1, 9))[0].isnan())


@pytest.mark.parametrize("shape", [0.7, 1.5, 3.0])
def test_a_weibull_distribution_is_found_again(shape: float) -> None:
    values = 2.5 * np.random.default_rng(3).weibull(shape, N_DRAWS)
    found, scale = fit_weibull(torch.from_numpy(values)[None].log())
    assert float(found) == pytest.approx(shape, rel=0.02)
    assert float(scale) == pytest.approx(2.5, rel=0.02)


@pytest.mark.parametrize(
    ("edges", "mode", "width"), [("zero", "constant", 7), ("nearest", "nearest", 5)]
)
def test_local_normalisation_is_that_of_a_two_dimensional_window(
    edges: str, mode: str, width: int
) -> None:
    image = 255 * torch.rand(1, 1, 20, 17, generator=generator(2), dtype=torch.float64)
    at = np.arange(width) - width // 2
    window = np.exp(-(at[:, None] ** 2 + at**2) / (2 * (width / 6) ** 2))
    window /= window.sum()
    plane = image[0, 0].numpy()
    mean = scipy.ndimage.correlate(plane, window, mode=mode)
    power = scipy.ndimage.correlate(plane**2, window, mode=mode)
    deviation = np.sqrt(np.abs(power - mean**2))
    found, spread = contrast_normalised(image, width=width, edges=edges)  # type: ignore[arg-type]
    assert np.allclose(spread[0, 0], deviation, atol=1e-9)
    assert np.allclose(found[0, 0], (plane - mean) / (deviation + 1), atol=1e-9)


def test_a_bright_flat_place_is_flat() -> None:
    image = torch.full((1, 1, 16, 16), 254.7, dtype=torch.float64)
    found, deviation = contrast_normalised(image, edges="nearest")
    assert float(deviation.abs().max()) < 1e-4
    assert float(found.abs().max()) < 1e-9


def test_products_are_of_neighbours_in_four_directions() -> None:
    image = torch.rand(1, 6, 5, generator=generator(4), dtype=torch.float64)
    found = neighbour_products(image)
    rows, columns = image.shape[1:]
    for index, (down, across) in enumerate([(0, 1), (1, 0), (1, 1), (1, -1)]):
        for i in range(rows):
            for j in range(columns):
                other = image[0, (i - down) % rows, (j - across) % columns]
                assert float(found[0, index, i, j]) == float(image[0, i, j] * other)


def test_patches_lie_row_by_row_and_leave_the_rest_out() -> None:
    maps = torch.arange(2 * 2 * 7 * 10).reshape(2, 2, 7, 10)
    found = patches(maps, 3)
    assert found.shape == (2, 6, 2, 3, 3)
    assert torch.equal(found[1, 4, 1], maps[1, 1, 3:6, 3:6])


def test_the_width_of_a_gaussian_is_known() -> None:
    assert float(width_over_deviation(torch.tensor(2.0))) == pytest.approx(math.sqrt(2))
