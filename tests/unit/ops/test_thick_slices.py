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
SEED = Acquisition(8, thickness=6.0, phase=0.0)


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


def test_an_edge_across_slices_is_as_wide_as_the_profile_says() -> None:
    edge = (torch.arange(200) >= 100).double()[None, None]
    acquisition = Acquisition(1, thickness=1.0, phase=0.0)
    sharp = thick_slices((1, 1, 200), 2, acquisition)(edge)
    blurred = thick_slices((1, 1, 200), 2, Acquisition(8, thickness=6.0, phase=0.0))(edge)
    line = torch.diff(interpolated(blurred, 200)).clamp(min=0)
    places = torch.arange(len(line)).double()
    mean = (line * places).sum() / line.sum()
    width = 2.3548 * float(((line * (places - mean) ** 2).sum() / line.sum()) ** 0.5)
    assert float(torch.diff(sharp[0, 0]).max()) > 0.5
    assert 6.0 < width < 9.5  # the profile, and what interpolation adds


def interpolated(coarse: torch.Tensor, n_fine: int) -> torch.Tensor:
    back = interpolation(n_fine, coarse.shape[2], SEED, order=1)
    return multiply_along(coarse, back.T, 2)[0, 0]


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
