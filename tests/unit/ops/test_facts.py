"""Facts that need no network: combs of k-space lines, and shading."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from isocenter.artifacts import artifact, ghosting
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.ops.filters import gaussian_blur
from isocenter.ops.regions import head_mask
from isocenter.ops.shading import N_SHADING_SIZES, N_SHADING_TERMS, shading_facts
from isocenter.ops.slabs import COMB_PERIODS, N_LINE_FACTS, find_head, line_facts

PHANTOM = head_phantom((96, 104, 88))


def noisy(scan: Volume) -> Volume:
    return artifact("noise", 1)(scan, rng=generator(0))


def textured() -> Volume:
    """A head of random texture: like tissue, its lines have no lobes of their own."""
    noise = torch.randn(PHANTOM.shape, generator=generator(1))
    texture = gaussian_blur(noise, (0.8, 0.8, 0.8))
    return replace(PHANTOM, data=(head_mask(PHANTOM.data) * (1 + 2 * texture)).clamp_min(0))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_weakened_lines_show_as_a_comb(axis: int) -> None:
    """Lines change more, at every period; the period's own comb stands out for most.

    Where the number of lines is no multiple of the period, the comb of negative frequencies
    is out of step with that of positive ones, and the magnitude mixes the two.
    """
    scan, n = textured(), len(COMB_PERIODS)
    before, seen = line_facts(scan.data, axis), 0
    for period in COMB_PERIODS:
        params = {
            "preset": "physical", "level": 3, "axis": axis, "every": period, "first": 0,
            "share": 1.0, "kept": 3,
        }  # fmt: skip
        after = line_facts(ghosting.apply(scan, params), axis)
        assert after[n] > before[n] + 0.3
        seen += after[COMB_PERIODS.index(period)] > max(before[:n])
    assert seen >= 5


def test_line_facts_do_not_see_the_unit_of_brightness() -> None:
    data = noisy(PHANTOM).data
    assert line_facts(data, 1) == pytest.approx(line_facts(1000 * data, 1), abs=1e-3)


def test_spike_stands_out_of_its_neighbours() -> None:
    clean = noisy(PHANTOM)
    spiked = artifact("spike", 3)(clean, rng=generator(3))
    peaks = [max(line_facts(scan.data, a)[-1] for a in range(3)) for scan in (clean, spiked)]
    assert peaks[1] > peaks[0] + 0.5


def test_few_lines_say_nothing() -> None:
    thick = find_head(torch.rand(64, 72, 8, generator=generator(0)))
    assert thick.lines[2] == pytest.approx(np.mean(thick.lines[:2], axis=0).tolist())
    assert len(find_head(torch.rand(8, 8, 8, generator=generator(1))).lines[0]) == N_LINE_FACTS
    assert all(map(math.isfinite, line_facts(torch.zeros(64, 64, 64), 0)))


def shaded(direction: int, size: float) -> torch.Tensor:
    at = torch.linspace(-0.5, 0.5, PHANTOM.shape[direction])
    shape = [1, 1, 1]
    shape[direction] = -1
    return PHANTOM.data * torch.exp(size * at).view(shape)


@pytest.mark.parametrize("direction", [0, 1, 2])
def test_stronger_shading_is_a_larger_number(direction: int) -> None:
    mask = head_mask(PHANTOM.data)
    linear = [math.exp(shading_facts(shaded(direction, s), mask)[1]) for s in (0.0, 0.5, 1.0, 1.5)]
    assert linear == sorted(linear)
    # The head fills only part of the field that was laid over the image.
    assert 0.4 < linear[2] - linear[0] < 1.1


@pytest.mark.parametrize("direction", [0, 1, 2])
def test_the_terms_say_from_where_the_head_is_lit(direction: int) -> None:
    mask = head_mask(PHANTOM.data)
    terms = [shading_facts(shaded(direction, s), mask)[N_SHADING_SIZES:] for s in (0.0, -1.0, 1.0)]
    change = np.subtract(terms[1:], terms[0])[:, :3]
    others = [axis for axis in range(3) if axis != direction]
    assert change[0, direction] < -0.1
    assert change[1, direction] > 0.1
    assert np.abs(change[:, others]).max() < 0.3 * np.abs(change[:, direction]).min()


def test_shading_does_not_see_the_unit_of_brightness() -> None:
    mask = head_mask(PHANTOM.data)
    facts = [shading_facts(scale * PHANTOM.data, mask) for scale in (1.0, 50.0)]
    assert facts[0] == pytest.approx(facts[1], abs=1e-3)


def test_too_little_head_says_nothing() -> None:
    empty = torch.zeros(PHANTOM.shape, dtype=torch.bool)
    assert shading_facts(PHANTOM.data, empty) == (0.0,) * (N_SHADING_SIZES + N_SHADING_TERMS)
