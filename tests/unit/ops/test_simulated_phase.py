"""Smooth phase: through its knots, without steps, the same for any part of the stack."""

import math

import torch

from isocenter.data.random import generator
from isocenter.ops.simulated_phase import draw_phase, phase_slices


def test_the_phase_passes_through_its_knots() -> None:
    knots = draw_phase(rng=generator(1))
    phase = phase_slices(knots, (7, 10, 13))
    torch.testing.assert_close(phase[::2, ::3, ::4], knots.float(), rtol=1e-5, atol=1e-5)


def test_the_phase_is_smooth_and_not_flat() -> None:
    phase = phase_slices(draw_phase(rng=generator(2)), (5, 120, 100))
    for axis in (1, 2):
        assert float(phase.diff(n=2, dim=axis).abs().max()) < 0.02
    assert float(phase.std()) > 0.2


def test_some_slices_are_those_of_all() -> None:
    knots = draw_phase(rng=generator(3))
    whole = phase_slices(knots, (9, 8, 8))
    torch.testing.assert_close(phase_slices(knots, (9, 8, 8), slice(4, 6)), whole[4:6])
    assert phase_slices(knots, (1, 8, 8)).shape == (1, 8, 8)


def test_all_angles_are_as_likely() -> None:
    means = torch.stack([draw_phase(rng=generator(seed), spread=0).mean() for seed in range(200)])
    assert float(means.min()) >= 0
    assert float(means.max()) < 2 * math.pi
    assert float(torch.polar(torch.ones_like(means), means).mean().abs()) < 0.15
