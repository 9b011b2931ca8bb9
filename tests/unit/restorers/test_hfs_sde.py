"""The restorer ``hfs_sde``, with a prior that is known in closed form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from isocenter.data.kspace import KSpace, Mask
from isocenter.data.random import generator
from isocenter.data.step import JSON
from isocenter.diffusion.denoiser import Denoiser
from isocenter.diffusion.projector import HighFrequencies, Whole
from isocenter.errors import BadKSpace, UsageError
from isocenter.ops.fourier import fft
from isocenter.restorers import hfs_sde
from isocenter.restorers._deviation import Calibration
from isocenter.restorers._prior_units import Measured, Units, diffused_part
from isocenter.restorers._restored import Restored
from isocenter.restorers._samples import Pace, Plan, Samples, drawn_until, planned
from tests.unit.diffusion.gaussian import GaussianWorld

WORLD = GaussianWorld()
SMALL = hfs_sde.Options(samples=2, steps=3)


def measured(data: Tensor | None = None, mask: Tensor | None = None) -> KSpace:
    """The world's images as slices of a stack."""
    return KSpace(
        WORLD.kspace if data is None else data,
        Mask((WORLD.mask if mask is None else mask)[None].clone()),
        np.eye(4),
        WORLD.maps[None, None].repeat(WORLD.n, 1, 1, 1, 1),
    )


@dataclass(frozen=True)
class KnownPrior:
    """That of the world, in units in which images are as bright as priors want them."""

    units: Units = field(default_factory=Units)
    calibration: Calibration | None = None
    knows_whole: bool = True
    largest_noise: float = math.inf
    facts: Mapping[str, JSON] = field(default_factory=lambda: {"prior": "known"})

    def denoiser(self, acs_width: int | None) -> Denoiser:
        scale = Measured.of(measured().slices(slice(0, 1)), self.units).scale
        wiener = WORLD.denoiser(Whole())
        return lambda noisy, sigma: wiener(noisy * scale, sigma * scale) / scale


def restored(
    kspace: KSpace, options: hfs_sde.Options = SMALL, prior: KnownPrior | None = None
) -> Restored:
    return hfs_sde.restore(kspace, options, prior or KnownPrior(), rng=generator(5))


def test_the_default_comes_close_to_the_best_and_knows_how_far_off_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The farthest lines of this world hold signal, so how noisy they are must be told.
    told = torch.tensor([WORLD.sigma])
    monkeypatch.setattr("isocenter.restorers._prior_units.noise_level", lambda *given: told)
    found = restored(measured(), hfs_sde.Options())
    assert WORLD.psnr(found.image) > WORLD.psnr(WORLD.best) - 0.6
    assert WORLD.psnr(found.image) > WORLD.psnr(WORLD.sense)
    assert found.deviation is not None
    error = (found.image.abs() - WORLD.images.abs()).square().mean().sqrt()
    assert float(found.deviation.square().mean().sqrt() / error) == pytest.approx(1, abs=0.35)


def test_facts_say_what_was_done() -> None:
    seen: list[tuple[int, int]] = []
    found = hfs_sde.restore(
        measured(),
        SMALL,
        KnownPrior(),
        rng=generator(5),
        progress=lambda done, total: seen.append((done, total)),
    )
    facts = found.facts
    assert (facts["evaluations"], facts["samples"], facts["steps"]) == (7, 2, 3)
    assert facts["prior"] == "known"
    for name in ("scale", "sigma_y", "data_residual", "seconds"):
        assert len(facts[name]) == WORLD.n  # type: ignore[arg-type]
    assert all(0 < residual < 0.2 for residual in facts["data_residual"])  # type: ignore[union-attr]
    assert seen == [(1, 2), (2, 2)]


def test_brightness_and_number_of_coils_change_nothing_else() -> None:
    kspace, plain = measured(), restored(measured())
    assert kspace.maps is not None
    brighter = restored(replace(kspace, data=1000 * kspace.data))
    assert torch.allclose(brighter.image, 1000 * plain.image, rtol=1e-3, atol=1)
    twice = replace(
        kspace,
        data=torch.cat([kspace.data, kspace.data], 1) / 2**0.5,
        maps=torch.cat([kspace.maps, kspace.maps], 2) / 2**0.5,
    )
    scales = [Measured.of(k.slices(slice(0, 1)), Units()).scale for k in (kspace, twice)]
    assert scales[0] == pytest.approx(scales[1], rel=1e-5)


def test_the_seed_decides_and_batches_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    first, again = restored(measured()), restored(measured())
    assert torch.equal(first.image, again.image)
    monkeypatch.setitem(hfs_sde.AT_ONCE, "cpu", 1)
    assert torch.allclose(restored(measured()).image, first.image, atol=1e-5)
    other = hfs_sde.restore(measured(), SMALL, KnownPrior(), rng=generator(6))
    assert not torch.allclose(other.image, first.image, atol=1e-3)


def test_a_slice_does_not_depend_on_those_behind_it() -> None:
    alone = restored(measured().slices(slice(0, 1)))
    assert torch.allclose(alone.image[0], restored(measured()).image[0], atol=1e-5)


def test_one_sample_has_no_deviation_and_says_so() -> None:
    found = restored(measured(), hfs_sde.Options(samples=1, steps=2))
    assert found.deviation is None
    assert "two or more" in str(found.facts["why_no_deviation"])


def test_what_was_measured_in_full_comes_back() -> None:
    full = torch.ones_like(WORLD.mask)
    data = fft(WORLD.maps * WORLD.images[:, None], (-2, -1))
    data[..., :4] = data[..., -4:] = data[..., :4, :] = data[..., -4:, :] = 1e-6
    found = restored(measured(data, full))
    truth = Measured.of(measured(data, full).slices(slice(0, 1)), Units())
    expected = truth.back_projected() * truth.scale
    assert torch.allclose(found.image[:1], expected, atol=2e-2 * truth.scale)


def test_a_calibrated_prior_says_how_far_off_the_mean_is() -> None:
    known = Calibration(2.0, 4.0, 0.0, {"0.9": 1.7}, "nobody")
    plain, scaled = restored(measured()), restored(measured(), prior=KnownPrior(calibration=known))
    assert plain.deviation is not None
    assert scaled.deviation is not None
    rough, smooth = (float(one.deviation.square().mean()) for one in (plain, scaled))  # type: ignore[union-attr]
    missing = measured().mask.true_acceleration - 1
    assert smooth == pytest.approx(4 * missing * rough, rel=1e-2)
    relative = [float(one.deviation.std() / one.deviation.mean()) for one in (plain, scaled)]  # type: ignore[union-attr]
    assert relative[1] < 0.5 * relative[0]
    assert "never calibrated" in str(plain.facts["deviation_note"])
    assert "on nobody" in str(scaled.facts["deviation_note"])
    assert "90 % within 1.70" in str(scaled.facts["deviation_note"])
    assert scaled.facts["deviations_within"] == {"0.9": 1.7}


def test_the_published_sampler_counts_two_evaluations_a_step() -> None:
    options = hfs_sde.Options(samples=1, legacy=True, legacy_steps=5)
    assert restored(measured(), options).facts["evaluations"] == 10


def test_the_published_sampler_begins_no_higher_than_the_prior_knows() -> None:
    asked: list[float] = []

    class Listening(KnownPrior):
        def denoiser(self, acs_width: int | None) -> Denoiser:
            known = super().denoiser(acs_width)

            def heard(noisy: Tensor, sigma: Tensor) -> Tensor:
                asked.append(float(sigma[0]))
                return known(noisy, sigma)

            return heard

    options = hfs_sde.Options(samples=1, legacy=True, legacy_steps=5)
    for largest, first in ((math.inf, 152.1), (3.0, 3.0), (1e3, 152.1)):
        asked.clear()
        restored(measured().slices(slice(0, 1)), options, Listening(largest_noise=largest))
        assert max(asked) == pytest.approx(first, rel=1e-3)


def test_the_published_sampler_needs_a_centre() -> None:
    mask = torch.zeros_like(WORLD.mask)
    mask[:, ::4] = True
    kspace = measured(WORLD.kspace * mask, mask)
    with pytest.raises(BadKSpace, match="leave out legacy"):
        restored(kspace, hfs_sde.Options(legacy=True, legacy_steps=2))
    assert restored(kspace).image.isfinite().all()


def test_several_sets_of_maps_are_refused() -> None:
    kspace = measured()
    assert kspace.maps is not None
    with pytest.raises(BadKSpace, match="one set of coil maps, got 2"):
        restored(replace(kspace, maps=kspace.maps.repeat(1, 2, 1, 1, 1)))


def test_counts_below_one_are_refused() -> None:
    for wrong in ({"samples": 0}, {"steps": 0}, {"time_budget": 0.0}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            hfs_sde.Options(**wrong)  # type: ignore[arg-type]


def test_the_diffused_part_leaves_a_margin_of_calibration_lines() -> None:
    nowhere = torch.zeros_like(WORLD.mask)
    nowhere[:, ::4] = True
    assert diffused_part(measured(mask=nowhere)) == (Whole(), None)
    for n_lines, kept in ((8, 5), (24, 16), (40, 16)):
        lines = torch.zeros_like(WORLD.mask)
        lines[:, 32 - n_lines // 2 : 32 + n_lines // 2] = True
        columns, width = diffused_part(measured(mask=lines))
        assert isinstance(columns, HighFrequencies)
        assert (width, int(columns.kept[0].sum())) == (kept, kept)
    block = torch.zeros_like(WORLD.mask)
    block[20:44, 20:44] = True
    square, width = diffused_part(measured(mask=block))
    assert isinstance(square, HighFrequencies)
    assert (width, int(square.kept.sum())) == (None, 16 * 16)


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (100.0, Plan(10, 100)),
        (21.0, Plan(4, 52)),
        (20.0, Plan(2, 100)),
        (8.0, Plan(2, 40)),
        (1.25, Plan(2, 6)),
        (0.45, Plan(1, 4)),
        (0.1, Plan(1, 3)),
        (1e6, Plan(64, 100)),
    ],
)
def test_a_plan_fits_the_time(budget: float, expected: Plan) -> None:
    assert planned(2, 0.1, budget) == expected


def test_samples_that_were_asked_for_share_the_steps() -> None:
    assert planned(8, 0.1, 16.0) == Plan(8, 20)
    assert planned(8, 0.1, 1.6) == Plan(5, 3)


class Machine:
    """Time that passes only where somebody works, at a speed that changes."""

    def __init__(self, *speeds: float) -> None:
        self.now, self._speeds, self._step = 0.0, speeds, 0

    def clock(self) -> float:
        return self.now

    def step(self) -> None:
        self.now += self._speeds[min(self._step // 10, len(self._speeds) - 1)]
        self._step += 1


def steps_at(machine: Machine, pace: Pace) -> int:
    """How many a batch makes."""
    n_steps, to_come = 0, 2
    while to_come > 1:
        to_come = pace()
        machine.step()
        n_steps += 1
    machine.step()
    return n_steps + 1


@pytest.mark.parametrize("guess", [0.05, 0.1, 0.4])
@pytest.mark.parametrize("speeds", [(0.1,), (0.1, 0.3), (0.1, 0.3, 0.1, 0.05)])
def test_a_batch_ends_in_time_whatever_else_the_machine_does(
    guess: float, speeds: tuple[float, ...]
) -> None:
    machine = Machine(*speeds)
    steps_at(machine, Pace(6.0, guess, machine.clock))
    assert machine.now == pytest.approx(6.0, rel=0.1)


def test_a_pace_keeps_to_the_fewest_and_the_most_steps() -> None:
    for deadline, expected in ((0.0, 3), (1e6, 100)):
        machine = Machine(0.1)
        assert steps_at(machine, Pace(deadline, 0.1, machine.clock)) == expected


def test_a_single_sample_of_an_odd_number_gets_half_the_time_of_a_pair() -> None:
    machine, ends = Machine(1.0), []

    def draw(first: int, n_items: int, deadline: float) -> Tensor:
        ends.append(deadline)
        machine.now = deadline
        return torch.full((n_items, 2, 2), first, dtype=torch.complex64)

    found = torch.cat(list(drawn_until(draw, 5, 2, 20.0, machine.clock)))
    assert ends == pytest.approx([8.0, 16.0, 20.0])
    assert found[:, 0, 0].tolist() == [0, 0, 2, 2, 4]


class Slow(KnownPrior):
    """A prior that takes a while on a machine."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        object.__setattr__(self, "machine", machine)

    def denoiser(self, acs_width: int | None) -> Denoiser:
        known = super().denoiser(acs_width)

        def slow(noisy: Tensor, sigma: Tensor) -> Tensor:
            for _ in noisy:
                self.machine.step()  # type: ignore[attr-defined]
            return known(noisy, sigma)

        return slow


@pytest.mark.parametrize("budget", [20.0, 60.0])
def test_a_budget_is_spent_and_not_exceeded(monkeypatch: pytest.MonkeyPatch, budget: float) -> None:
    """Two slices share it; every look at an image takes half a second."""
    machine = Machine(0.5)
    monkeypatch.setattr(hfs_sde, "time", SimpleNamespace(monotonic=machine.clock))
    found = restored(measured(), hfs_sde.Options(time_budget=budget), Slow(machine))
    assert machine.now == pytest.approx(budget, rel=0.1)
    assert found.facts["samples"] == 2


def test_the_variance_of_pairs_is_that_of_their_halves_and_means() -> None:
    rng = np.random.default_rng(0)
    means, halves = rng.normal(0, 0.3, 4000), rng.normal(0, 0.4, 4000)
    values = 5 + np.stack([means + halves, means - halves], 1).ravel()
    samples = Samples(torch.tensor(values, dtype=torch.complex64)[:, None, None])
    variance = samples.variance()
    assert variance is not None
    assert float(variance) == pytest.approx(0.25, rel=0.1)
    assert float(samples.mean().abs()) == pytest.approx(5, rel=0.01)


def test_a_budget_that_is_too_small_makes_one_sample_of_the_fewest_steps() -> None:
    found = restored(measured(), hfs_sde.Options(samples=64, steps=3, time_budget=1e-3))
    assert found.facts["samples"] == 1
    assert found.facts["steps"] == 3


def test_nothing_is_painted_where_no_coil_sees() -> None:
    kspace = measured()
    assert kspace.maps is not None
    maps = kspace.maps.clone()
    maps[..., :20] = 0
    found = restored(replace(kspace, maps=maps))
    assert float(found.image[..., :20].abs().max()) == 0
    assert float(found.image[..., 20:].abs().mean()) > 0
