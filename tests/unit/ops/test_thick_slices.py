"""Thick slices: the published blur and decimation, exact adjoints, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.ops.thick_slices import Acquisition, interpolation, thick_slices
from isocenter.ops.windows import multiply_along

PROFILES = ("gaussian", "rect", "slr")


def image(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=generator(3))


@pytest.mark.parametrize(("ratio", "thickness"), [(8, 6.0), (4, 3.0)])
def test_the_published_simulator_blurs_and_takes_every_nth_slice(
    ratio: int, thickness: float
) -> None:
    fine = image(5, 6, 83)
    sigma = thickness / np.sqrt(8 * np.log(2))
    blurred = gaussian_filter1d(fine.numpy(), sigma, axis=2, mode="nearest")
    coarse = thick_slices((5, 6, 83), 2, Acquisition(ratio, thickness, phase=0.0))(fine)
    assert np.abs(coarse.numpy() - blurred[..., ::ratio][..., : 83 // ratio]).max() < 1e-10


@given(
    st.sampled_from(PROFILES),
    st.integers(1, 8),
    st.integers(0, 2),
    st.floats(0, 2),
    st.floats(0.4, 1),
)
def test_the_adjoint_is_one(
    profile: str, ratio: int, axis: int, in_plane: float, kept: float
) -> None:
    acquisition = Acquisition(ratio, profile=profile, in_plane=in_plane, kept=kept)  # type: ignore[arg-type]
    linear = thick_slices((11, 9, 13), axis, acquisition)
    fine = image(11, 9, 13)
    coarse = torch.randn(linear(fine).shape, dtype=torch.float64, generator=generator(4))
    there, back = (linear(fine) * coarse).sum(), (fine * linear.H(coarse)).sum()
    assert abs(float(there - back)) < 1e-9


@pytest.mark.parametrize("profile", PROFILES)
def test_a_constant_stays_what_it_is(profile: str) -> None:
    acquisition = Acquisition(4, profile=profile, in_plane=1.3, kept=0.7)  # type: ignore[arg-type]
    fine = torch.full((9, 10, 22), 3.0, dtype=torch.float64)
    assert torch.allclose(
        thick_slices((9, 10, 22), 2, acquisition)(fine), torch.tensor(3.0).double()
    )


@pytest.mark.parametrize(("profile", "ratio", "thickness"), [
    ("gaussian", 8, 6.0), ("gaussian", 4, 3.0), ("rect", 8, 6.0), ("slr", 8, 6.0),
])  # fmt: skip
def test_an_edge_that_moves_through_a_slice_tells_its_thickness(
    profile: str, ratio: int, thickness: float
) -> None:
    acquisition = Acquisition(ratio, thickness, phase=0.0, profile=profile)  # type: ignore[arg-type]
    places = torch.arange(96)
    edges = (places >= places[:, None]).double()[:, None]
    seen = thick_slices((96, 1, 96), 2, acquisition)(edges)[:, 0, 48 // ratio]
    line = -torch.diff(seen)  # what each fine slice gives to the thick one
    assert float(line.sum()) == pytest.approx(1)
    half = float(line.max()) / 2
    crossings = ((line[1:] > half) != (line[:-1] > half)).nonzero().flatten()
    low, high = (int(i) + float((half - line[i]) / (line[i + 1] - line[i])) for i in crossings)
    assert high - low == pytest.approx(thickness, rel=0.03)


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("n_coarse", [1, 2, 3, 9])
def test_the_way_back_goes_through_the_thick_slices(order: int, n_coarse: int) -> None:
    acquisition = Acquisition(3)
    matrix = interpolation(3 * n_coarse, n_coarse, acquisition, order=order)  # type: ignore[arg-type]
    assert torch.allclose(matrix.sum(1), torch.ones(3 * n_coarse, dtype=torch.float64))
    assert torch.allclose(matrix[1::3], torch.eye(n_coarse, dtype=torch.float64), atol=1e-9)


def test_a_slope_survives_linear_interpolation() -> None:
    acquisition = Acquisition(4, profile="rect", thickness=4.0)
    slope = torch.arange(40, dtype=torch.float64)[None, None]
    coarse = thick_slices((1, 1, 40), 2, acquisition)(slope)
    back = multiply_along(coarse, interpolation(40, 10, acquisition, order=1).T, 2)
    assert torch.allclose(back[0, 0, 2:-2], slope[0, 0, 2:-2])


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"ratio": 0}, "ratio is 0"),
        ({"ratio": 4, "thickness": 5.0}, "at most the ratio"),
        ({"ratio": 4, "kept": 0.0}, "kept share 0"),
    ],
)
def test_what_cannot_be_is_refused(given_: dict[str, float], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Acquisition(**given_)  # type: ignore[arg-type]


def test_too_few_slices_are_refused() -> None:
    with pytest.raises(UsageError, match="smaller ratio"):
        thick_slices((8, 8, 5), 2, Acquisition(8))
