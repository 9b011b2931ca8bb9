"""Facts about a damaged image against what was done to it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from isocenter.artifacts import blur, ghosting, motion, spike
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.ops.damage_facts import N_DAMAGE_FACTS, damage_facts
from isocenter.ops.head_cells import find_cells
from isocenter.ops.power_spectrum import power_spectrum

SHAPE = (72, 64, 56)


def textured() -> Volume:
    """A head whose spectrum is not that of a few ellipsoids alone; no air signal."""
    phantom = head_phantom(SHAPE, 2.0)
    grain = 1 + 0.1 * torch.randn(SHAPE, generator=generator(0))
    return replace(phantom, data=phantom.data * grain * (phantom.data > 50))


HEAD = textured()


@pytest.fixture(scope="module")
def names() -> list[str]:
    return list(facts_of(HEAD.data))


def facts_of(data: torch.Tensor) -> dict[str, float]:
    return damage_facts(data, HEAD.spacing)


def ghosted(share: float, every: int, first: int, axis: int) -> dict[str, float]:
    params = {
        "preset": "physical", "level": 1, "axis": axis, "every": every, "first": first,
        "share": share, "kept": 3,
    }  # fmt: skip
    return facts_of(ghosting.apply(HEAD, params))


@pytest.mark.parametrize(
    ("share", "every", "first", "axis"),
    [(0.3, 2, 0, 0), (0.6, 3, 1, 1), (0.9, 4, 1, 2), (1.0, 5, 0, 1)],
)
def test_share_and_period_of_a_ghost_are_found(
    share: float, every: int, first: int, axis: int
) -> None:
    facts = ghosted(share, every, first, axis)
    assert facts["ghost every"] == every
    assert facts["ghost share"] == pytest.approx(share, rel=0.12)
    assert facts["ghost good"] > 0.8
    assert max(range(3), key=lambda a: facts[f"comb {a}"]) == axis


@pytest.mark.parametrize("n_spikes", [1, 2, 3])
def test_height_and_number_of_spikes_are_found(n_spikes: int) -> None:
    places = [[9, 14, -8], [-17, 4, 11], [5, -21, 16]][:n_spikes]
    for height in (0.4, 1.2):
        params = {
            "preset": "physical", "level": 1, "height": height, "places": places,
            "phases": [0.3, 1.9, 4.0][:n_spikes],
        }  # fmt: skip
        facts = facts_of(spike.apply(HEAD, params))
        assert facts["waves"] == n_spikes
        assert math.exp(facts["height"]) == pytest.approx(height, rel=0.25)
        assert facts["peak 0"] > 7


def test_strong_spikes_do_not_fill_the_head() -> None:
    params = {
        "preset": "physical", "level": 4, "height": 2.2, "places": [[9, 14, -8], [-17, 4, 11]],
        "phases": [0.3, 1.9],
    }  # fmt: skip
    worse = spike.apply(HEAD, params)
    clean = find_cells(HEAD.data, HEAD.spacing).inside
    found = find_cells(worse, HEAD.spacing).inside
    assert 2 * (clean & found).sum() / (clean.sum() + found.sum()) > 0.85


def test_noise_shows_in_the_air_and_in_the_head() -> None:
    rng = generator(2)
    real, imaginary = torch.randn(2, *SHAPE, generator=rng)
    weak, strong = (
        facts_of(torch.hypot(HEAD.data + sigma * real, sigma * imaginary)) for sigma in (20, 40)
    )
    assert strong["air rms"] - weak["air rms"] == pytest.approx(math.log(2), abs=0.05)
    # Rayleigh: the fourth moment is twice the square of the second.
    assert strong["air kurtosis"] == pytest.approx(math.log(2), abs=0.05)
    assert strong["rough air"] - weak["rough air"] == pytest.approx(math.log(2), abs=0.05)


def test_blur_bends_the_spectrum_along_its_axis_by_its_variance() -> None:
    sigma = 1.2
    params = {"preset": "physical", "level": 1, "width": [sigma, 0.0, 0.0], "unit": "mm"}
    worse, clean = facts_of(blur.apply(HEAD, params)), facts_of(HEAD.data)
    # Bin 3 is 0.15 to 0.2 per mm, of which a gaussian keeps exp(-4 pi^2 sigma^2 f^2) in power.
    fall = (2 * math.pi * sigma) ** 2 * (0.175**2 - 0.1**2)
    assert clean["cone 0 3"] - worse["cone 0 3"] == pytest.approx(fall, rel=0.3)
    assert abs(clean["cone 1 3"] - worse["cone 1 3"]) < 0.3 * fall


def test_outline_reaches_as_far_as_the_head_moved() -> None:
    reach = {}
    for mm in (3.0, 8.0):
        params = {
            "preset": "physical", "level": 1, "axis": 1, "times": [0.3], "held": 1,
            "degrees": [[0.0] * 3], "translation": [[mm, 0.0, mm]],
            "centre": [(side - 1) / 2 for side in SHAPE],
        }  # fmt: skip
        facts = facts_of(motion.apply(HEAD, params))
        assert max(range(3), key=lambda a: facts[f"shadow {a}"]) == 1
        assert facts["reach along 7"] == facts["reach 1 7"]
        reach[mm] = facts["reach 1 7"]
    still = facts_of(HEAD.data)["reach 1 7"]
    assert still < reach[3.0] < reach[8.0]


def test_facts_do_not_depend_on_the_unit_of_brightness() -> None:
    worse = ghosting.apply(
        HEAD,
        {
            "preset": "physical",
            "level": 1,
            "axis": 0,
            "every": 3,
            "first": 1,
            "share": 0.5,
            "kept": 3,
        },
    )
    before = worse.clone()
    one, other = facts_of(worse), facts_of(1000 * worse)
    assert torch.equal(worse, before)
    for name, value in one.items():
        assert other[name] == pytest.approx(value, abs=0.02, rel=0.01), name


@pytest.mark.parametrize("shape", [(5, 40, 40), (33, 17, 29), (4, 4, 4), (1, 24, 24)])
def test_facts_are_finite_and_the_same_ones_for_any_image(
    shape: tuple[int, int, int], names: list[str]
) -> None:
    for image in (torch.rand(shape, generator=generator(1)), torch.zeros(shape)):
        facts = damage_facts(image, (1.0, 1.0, 3.0))
        assert list(facts) == names
        assert all(math.isfinite(value) for value in facts.values())
    assert len(names) == N_DAMAGE_FACTS


def test_power_is_that_of_the_whole_transform() -> None:
    data = torch.randn(6, 5, 7, generator=generator(3))
    found = power_spectrum(data)
    whole = torch.fft.fftn(data.double()).abs().square()
    torch.testing.assert_close(found.power.double(), whole[..., :4], rtol=1e-4, atol=1e-4)
    assert float(found.radius[0, 0, 0]) == 0
    mean = found.log_power()[found.radius < 0.05].mean()
    assert float(found.levels[0]) == pytest.approx(float(mean), abs=1e-4)
