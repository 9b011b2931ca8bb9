"""``check``: noise alone raises nothing, and every kind of invention is found where it is."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch import Tensor

from isocenter.artifacts import SnrPrior
from isocenter.artifacts._low_field_scan import coarse_affine
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.data.shapes import Mask3
from isocenter.data.volume import Volume
from isocenter.errors import UsageError
from isocenter.ops.null_space import smoothest
from isocenter.ops.thick_slices import Acquisition, interpolation, thick_slices
from isocenter.restorers import Checked, Enhanced, check

RATIO, SIGMA = 4, 15.0
TRUTH = head_phantom((48, 48, 48))
LINEAR = thick_slices((48, 48, 48), 2, Acquisition(RATIO))


def scan_of(image: Tensor, sigma: float = SIGMA) -> Volume:
    noise = sigma * torch.randn(48, 48, 12, generator=generator(4))
    affine = coarse_affine(TRUTH.affine, 2, Acquisition(RATIO))
    return Volume(LINEAR(image) + noise, affine, "T1w")


SCAN = scan_of(TRUTH.data)


def enhanced(image: Tensor, deviation: float | None = 20.0, **facts: object) -> Enhanced:
    """As a method would hand it back."""
    matrix = interpolation(48, 12, Acquisition(RATIO), order=3).float()
    spread = None if deviation is None else Volume(
        torch.full_like(image, deviation), TRUTH.affine
    )  # fmt: skip
    told = {
        "ratio": RATIO,
        "axis": 2,
        "interval_factor": 1.6449,
        "scale": 1000.0,
        "learned_noise": [0.005, 0.04],
        **facts,
    }
    return Enhanced(
        Volume(image, TRUTH.affine, "T1w"),
        spread,
        None,
        None,
        Volume(SCAN.data @ matrix.T, TRUTH.affine, "T1w"),
        told,  # type: ignore[arg-type]
    )


def checked(image: Tensor, brain: Mask3 | None = None, **given: object) -> Checked:
    return check(enhanced(image, **given), SCAN, brain=brain, rng=generator(0))  # type: ignore[arg-type]


def blob(centre: tuple[int, int, int], radius: float, height: float) -> Tensor:
    places = torch.meshgrid(*[torch.arange(48.0)] * 3, indexing="ij")
    squares = [(place - at) ** 2 for place, at in zip(places, centre, strict=True)]
    return height * ((squares[0] + squares[1] + squares[2]) < radius**2).float()


@pytest.fixture(scope="module")
def of_truth() -> Checked:
    return checked(TRUTH.data)


def test_what_is_left_of_the_truth_is_noise(of_truth: Checked) -> None:
    assert of_truth.sigma == pytest.approx(SIGMA, rel=0.3)  # a small head is full of edges
    assert of_truth.sigma is not None
    assert of_truth.mean_square == pytest.approx((SIGMA / of_truth.sigma) ** 2, rel=0.1)
    assert of_truth.clusters == ()
    assert of_truth.in_prior is True
    assert of_truth.consistency is not None
    assert of_truth.consistency.shape == SCAN.shape
    np.testing.assert_array_equal(of_truth.consistency.affine, SCAN.affine)


def test_an_invented_lesion_is_found_where_it_is() -> None:
    found = checked(TRUTH.data + blob((24, 30, 29), 4.0, 400.0))
    assert len(found.clusters) == 1
    lesion = found.clusters[0]
    place = TRUTH.affine @ [24, 30, 29, 1]
    np.testing.assert_allclose(lesion.centre, place[:3], atol=1.5)
    assert lesion.slice == 7
    assert lesion.peak > 10
    assert any("slice 7" in one and "disagree" in one for one in found.warnings)
    assert any(abs(one.slice - 29) <= 2 for one in found.changed)


def test_a_hidden_lesion_is_found_too() -> None:
    global_scan = scan_of(TRUTH.data + blob((24, 30, 29), 4.0, 400.0))
    found = check(enhanced(TRUTH.data), global_scan, rng=generator(0))
    assert found.clusters[0].peak < -10


def test_what_slices_cannot_show_is_on_the_map_and_not_in_z(of_truth: Checked) -> None:
    """Detail of the null space alone: the thick slices are as before."""
    matrix = LINEAR.matrices[2]
    assert matrix is not None
    hidden = torch.eye(48, dtype=torch.float64) - smoothest(matrix)
    texture = 300 * torch.randn(48, 48, 48, generator=generator(5)) @ hidden.T.float()
    inside = blob((24, 24, 24), 9.0, 1.0)
    found = checked(TRUTH.data + texture * inside)
    assert found.mean_square == pytest.approx(of_truth.mean_square, abs=0.5)
    assert found.null_share is not None
    assert of_truth.null_share is not None
    assert found.null_share > of_truth.null_share + 0.05
    assert found.null_space is not None
    values = found.null_space.data
    assert 0 <= float(values.min()) <= float(values.max()) <= 1
    assert float(values[20:29, 20:29, 20:29].mean()) > 0.6
    assert found.changed


def test_interpolation_has_nothing_of_its_own() -> None:
    found = checked(enhanced(TRUTH.data).interpolated.data, deviation=None)
    assert found.null_share == found.null_share_of_interpolated
    assert found.null_share is not None
    assert found.null_share < 0.1
    assert found.changed == ()
    assert "no deviation" in found.missing["changed"]


def test_another_brightness_is_no_contradiction(of_truth: Checked) -> None:
    """Contrast may change on the way up, as long as it never turns round."""
    other = 1000 * (TRUTH.data / 1000).clamp_min(0) ** 0.7
    found = checked(other)
    assert found.mean_square == pytest.approx(of_truth.mean_square, abs=0.3)
    assert found.clusters == ()


def test_noise_outside_of_what_was_learned_is_told() -> None:
    loud = scan_of(TRUTH.data, 90.0)
    found = check(enhanced(TRUTH.data), loud, rng=generator(0))
    assert found.in_prior is False
    assert found.prior_distance is not None
    assert found.prior_distance > 12**0.5 / 2
    assert any("unlike" in one for one in found.warnings)


def test_a_prior_needs_tissues_and_says_so(of_truth: Checked) -> None:
    assert of_truth.snr is None
    assert "brain" in of_truth.missing["snr"]
    assert "noise of 0.005 to 0.04" in str(of_truth.facts["prior"])
    prior = SnrPrior((50.0, 40.0), ((30.0, 10.0), (10.0, 20.0)), "wm", "made for a test")
    found = checked(TRUTH.data, snr_prior={"T1w": prior.to_values()})
    assert found.prior_distance == of_truth.prior_distance


def test_a_mask_says_where_is_judged() -> None:
    brain = torch.zeros(48, 48, 12, dtype=torch.bool)
    brain[10:38, 10:38, :6] = True
    found = checked(TRUTH.data + blob((24, 30, 40), 4.0, 400.0), brain=brain)
    assert found.clusters == ()
    assert found.consistency is not None
    assert not bool(found.consistency.data[~brain].any())
    assert found.facts["judged_in"] == "brain"


def test_it_is_plain_values(of_truth: Checked) -> None:
    told = json.loads(json.dumps(of_truth.to_json(), allow_nan=False))
    assert told["mean_square"] == of_truth.mean_square
    assert [name for name, value in told.items() if value is None] == ["snr"]
    for name in ("snr",):
        assert told["missing"][name]
    assert told["facts"]["thickness"] == 0.75
    assert len(told["facts"]["brightness_map"]["thick"]) > 2


def test_a_constant_scan_has_no_head() -> None:
    flat = Volume(torch.ones(48, 48, 12), SCAN.affine)
    found = check(enhanced(torch.ones(48, 48, 48)), flat, rng=generator(0))
    assert found.mean_square is None
    assert "no head" in found.missing["mean_square"]
    assert found.to_json()["in_prior"] is None


def test_another_scan_or_grid_is_refused() -> None:
    made = enhanced(TRUTH.data)
    other = Volume(SCAN.data[:, :, :10].contiguous(), SCAN.affine)
    with pytest.raises(UsageError, match="give the scan that was enhanced"):
        check(made, other, rng=generator(0))
    with pytest.raises(UsageError, match="a mask on the scan's grid"):
        check(made, SCAN, brain=torch.ones(4, 4, 4, dtype=torch.bool), rng=generator(0))


def test_warnings_name_slices_and_count() -> None:
    plain = checked(TRUTH.data)
    region = checked(TRUTH.data + blob((24, 30, 29), 4.0, 400.0)).clusters[0]
    told = dataclasses.replace(plain, changed=(dataclasses.replace(region, slice=41),), clusters=())
    assert told.warnings == ("1 region (slice 41) changed more than the uncertainty allows",)
    two = dataclasses.replace(told, changed=(*told.changed, region))
    assert two.warnings[0].startswith("2 regions (slices 7, 41) changed")
