"""What a network took from the measured slices comes back, and the noise does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.ops.regions import head_mask
from isocenter.ops.thick_slices import Acquisition, interpolation, thick_slices
from isocenter.ops.windows import multiply_along
from isocenter.restorers._agreement import agreeing
from isocenter.restorers._thick import Thick

RATIO, NOISE = 4, 4.0


def case(axis: int = 2) -> tuple[torch.Tensor, Thick, torch.Tensor]:
    """Thin slices, noisy thick ones, and the noise."""
    truth = head_phantom((64, 60, 56)).data.movedim(2, axis).contiguous()
    clean = thick_slices((truth.shape[0], truth.shape[1], truth.shape[2]), axis, Acquisition(RATIO))
    noise = NOISE * torch.randn(clean(truth).shape, generator=generator(1))
    affine = np.eye(4)
    affine[axis, axis] = RATIO
    return truth, Thick(Volume(clean(truth) + noise, affine), axis, RATIO), noise


def back(thin: torch.Tensor, given: Thick) -> torch.Tensor:
    sides = (thin.shape[0], thin.shape[1], thin.shape[2])
    return given.scan.data - thick_slices(sides, given.axis, given.acquisition)(thin)


def test_it_is_the_slow_form() -> None:
    truth, given, _ = case()
    made = 0.9 * truth
    weights = interpolation(56, 14, Acquisition(RATIO), order=3).float()
    rows = thick_slices((1, 1, 56), 2, Acquisition(RATIO)).matrices[2]
    assert rows is not None
    missing = given.scan.data - torch.einsum("xyh,nh->xyn", made, rows.float())
    head = head_mask(given.scan.data)
    sigma = 1.4826 * float(missing[head].abs().median())
    beyond = torch.zeros_like(missing)
    for index in head.nonzero().tolist():
        value = float(missing[tuple(index)])
        beyond[tuple(index)] = np.sign(value) * max(0.0, abs(value) - 0.7 * sigma)
    wanted = made + torch.einsum("xyn,hn->xyh", beyond, weights)
    assert torch.allclose(agreeing(made.clone(), given, 0.7), wanted, atol=1e-3)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_lesion_that_was_taken_for_noise_comes_back(axis: int) -> None:
    truth, given, _ = case(axis)
    place = tuple(slice(28, 34) for _ in range(3))
    with_lesion = truth.clone()
    with_lesion[place] += 12 * NOISE
    sides = (truth.shape[0], truth.shape[1], truth.shape[2])
    shown = thick_slices(sides, axis, Acquisition(RATIO))(with_lesion - truth)
    seen = Thick(Volume(given.scan.data + shown, given.scan.affine), axis, RATIO)
    agreed = agreeing(truth.clone(), seen, 1.0)  # the network showed none
    kept = float((agreed - truth)[place].mean()) / (12 * NOISE)
    assert 0.6 < kept < 1.1


def test_little_noise_comes_back_and_the_rest_is_within_the_tolerance() -> None:
    truth, given, noise = case()
    head = head_mask(given.scan.data)
    agreed = agreeing(truth.clone(), given, 1.0)
    splines = interpolation(56, 14, Acquisition(RATIO), order=3)
    all_of_it = multiply_along(noise, splines.T, 2)
    inside = head.repeat_interleave(RATIO, 2)
    assert float((agreed - truth)[inside].std()) < 0.5 * float(all_of_it[inside].std())
    left = back(agreed, given)[head]
    assert float((left.abs() > 1.5 * NOISE).float().mean()) < 0.01


def test_more_tolerance_changes_less_and_air_nothing() -> None:
    truth, given, _ = case()
    outside = ~head_mask(given.scan.data).repeat_interleave(RATIO, 2)
    changes = []
    for tolerance in (0.0, 1.0, 3.0):
        change = agreeing(truth.clone(), given, tolerance) - truth
        changes.append(float(change.square().mean()))
        far = outside & (
            torch.nn.functional.max_pool3d((~outside).float()[None, None], 9, 1, 4)[0, 0] == 0
        )
        assert float(change[far].abs().mean()) < 0.05 * NOISE
    assert changes[0] > 2 * changes[1] > 20 * changes[2] > 0


def test_an_empty_scan_stays_as_it_is() -> None:
    given = Thick(Volume(torch.zeros(16, 16, 5), np.diag([1.0, 1.0, 4.0, 1.0])), 2, RATIO)
    assert not agreeing(torch.zeros(16, 16, 20), given, 1.0).any()
