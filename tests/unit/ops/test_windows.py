"""Sliding windows against scipy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from isocenter.data.random import generator
from isocenter.ops.windows import Edges, box, gaussian, multiply_along, operator, slide

MODES: dict[Edges, str] = {"mirror": "mirror", "repeat": "reflect", "zero": "constant"}


def picture(*shape: int) -> torch.Tensor:
    return torch.rand(2, 3, *shape, generator=generator(len(shape)), dtype=torch.float64)


@pytest.mark.parametrize("edges", MODES)
@pytest.mark.parametrize("shape", [(9, 14), (5, 9, 7)])
@pytest.mark.parametrize("width", [3, 11])
def test_edges_are_those_of_scipy(edges: Edges, shape: tuple[int, ...], width: int) -> None:
    image, taps = picture(*shape), gaussian(width, 1.5)
    expected = image[1, 2].numpy()
    for axis in range(len(shape)):
        expected = scipy.ndimage.correlate1d(expected, taps.numpy(), axis, mode=MODES[edges])
    assert np.allclose(slide(image, taps, edges=edges)[1, 2].numpy(), expected, atol=1e-14)


def test_valid_keeps_the_places_where_the_window_fits() -> None:
    image, taps = picture(12, 15), gaussian(5, 1.0)
    inner = slide(image, taps, edges="zero")[..., 2:-2, 2:-2]
    assert torch.allclose(slide(image, taps), inner)


@pytest.mark.parametrize("edges", ["zero", "repeat"])
def test_an_even_window_halves_an_image(edges: Edges) -> None:
    image = picture(8, 6)
    pooled = torch.nn.functional.avg_pool2d(image, 2)
    assert torch.allclose(slide(image, box(2), edges=edges, step=2), pooled)


def test_an_odd_side_ends_as_asked() -> None:
    row = torch.tensor([[[1.0, 3.0, 5.0]]])
    assert slide(row, box(2), edges="repeat", step=2).tolist() == [[[2.0, 5.0]]]
    assert slide(row, box(2), edges="zero", step=2).tolist() == [[[2.0, 2.5]]]


def test_taps_are_correlated_and_not_turned() -> None:
    row = torch.tensor([[[0.0, 1.0, 0.0]]])
    taps = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    assert slide(row, taps, edges="zero").tolist() == [[[3.0, 2.0, 1.0]]]


def test_windows_sum_to_one_and_operators_keep_constants() -> None:
    assert float(gaussian(11, 1.5).sum()) == pytest.approx(1)
    for edges in ("mirror", "repeat", "valid"):
        kept = torch.ones(20, dtype=torch.float64) @ operator(20, gaussian(7, 2.0), edges=edges)
        assert torch.allclose(kept, torch.ones_like(kept))


def test_a_single_pixel_is_its_own_mirror() -> None:
    pixel = torch.full((1, 1, 1, 1), 7.0)
    assert slide(pixel, box(3), edges="mirror").item() == pytest.approx(7)


def test_a_matrix_works_along_one_axis() -> None:
    image, matrix = picture(4, 5), torch.rand(5, 3, generator=generator(0), dtype=torch.float64)
    assert torch.allclose(multiply_along(image, matrix, 3), image @ matrix)


@pytest.mark.parametrize("edges", ["valid", *MODES])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("width", "step"), [(3, 1), (11, 1), (4, 2), (5, 3)])
@pytest.mark.parametrize("shape", [(70, 300), (13, 17, 90)])
def test_the_compiled_loop_is_the_product_with_the_matrix(
    edges: Edges, dtype: torch.dtype, width: int, step: int, shape: tuple[int, ...]
) -> None:
    image = picture(*shape).to(dtype).transpose(-1, -2)
    taps = torch.rand(width, generator=generator(width), dtype=torch.float64)
    compiled = slide(image, taps, edges=edges, step=step)
    product = slide(image.requires_grad_(), taps, edges=edges, step=step)
    assert product.requires_grad
    assert compiled.dtype == dtype
    assert torch.allclose(
        compiled, product.detach(), rtol=1e-12 if dtype == torch.float64 else 1e-5
    )
