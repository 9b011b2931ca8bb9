"""Noise levels: their ends, their order, and a second form of each."""

from __future__ import annotations

import math

import pytest
import torch

from isocenter.diffusion.process import VariancePreserving
from isocenter.diffusion.schedule import edm, geometric, linear_beta, times

FIRST, LAST = torch.tensor([0.3, 2.0]), torch.tensor([0.01, 0.05])


@pytest.mark.parametrize("schedule", [geometric, edm, linear_beta])
def test_levels_fall_from_the_first_to_the_last_of_every_item(schedule) -> None:  # type: ignore[no-untyped-def]
    levels = schedule(FIRST, LAST, 9)
    assert levels.shape == (9, 2)
    assert torch.allclose(levels[0], FIRST)
    assert torch.allclose(levels[-1], LAST, rtol=1e-3)
    assert (levels.diff(dim=0) < 0).all()
    alone = schedule(FIRST[1:], LAST[1:], 9)
    assert torch.equal(alone[:, 0], levels[:, 1])
    assert torch.allclose(schedule(FIRST, LAST, 1), FIRST)


def test_a_geometric_step_is_always_the_same_ratio() -> None:
    ratios = geometric(FIRST, LAST, 9)[1:] / geometric(FIRST, LAST, 9)[:-1]
    assert torch.allclose(ratios, ratios[:1].expand(8, 2))


def test_edm_is_even_in_the_seventh_root() -> None:
    roots = edm(FIRST, LAST, 9) ** (1 / 7)
    assert torch.allclose(roots.diff(dim=0), roots.diff(dim=0)[:1].expand(8, 2), atol=1e-5)


def test_linear_beta_has_the_levels_of_the_process_at_even_times() -> None:
    process = VariancePreserving()
    moments = torch.linspace(0.8, 0.1, 7, dtype=torch.float64).tolist()
    expected = torch.tensor([process.sigma(t) for t in moments], dtype=torch.float64)
    levels = linear_beta(expected[:1], expected[-1:], 7)
    assert torch.allclose(levels[:, 0], expected)


def test_published_times_run_from_one_to_the_last() -> None:
    moments = times(1000)
    assert len(moments) == 1000
    assert moments[0] == 1
    assert math.isclose(moments[-1], 1e-3)
