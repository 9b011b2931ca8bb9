"""The restorer ``hfs_sde``, with a prior that is known in closed form."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

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
from isocenter.restorers._prior_units import Measured, Units, diffused_part
from isocenter.restorers._restored import Restored
from isocenter.restorers._samples import Plan, Samples, draw_within, planned
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
    deviation_scale: float = 1.0
    knows_whole: bool = True
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


def test_a_calibrated_prior_scales_the_deviation() -> None:
    plain, scaled = restored(measured()), restored(measured(), prior=KnownPrior(deviation_scale=2))
    assert plain.deviation is not None
    assert scaled.deviation is not None
    assert torch.allclose(scaled.deviation, 2 * plain.deviation)


def test_the_published_sampler_counts_two_evaluations_a_step() -> None:
    options = hfs_sde.Options(samples=1, legacy=True, legacy_steps=5)
    assert restored(measured(), options).facts["evaluations"] == 10


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
        (100.0, Plan(64, 10)),
        (12.0, Plan(12, 10)),
        (8.0, Plan(8, 10)),
        (4.0, Plan(4, 10)),
        (1.25, Plan(2, 6)),
        (0.1, Plan(1, 3)),
    ],
)
def test_a_plan_fits_the_time(budget: float, expected: Plan) -> None:
    assert planned(Plan(8, 10), 0.1, budget) == expected


def test_no_batch_is_begun_that_would_end_too_late() -> None:
    def draw(first: int, n_items: int) -> Tensor:
        return torch.full((n_items, 2, 2), first, dtype=torch.complex64)

    assert len(draw_within(draw, 7, 2, None).images) == 7
    assert len(draw_within(draw, 7, 2, time.monotonic() - 1).images) == 2


def test_the_deviation_of_pairs_is_that_of_their_halves_and_means() -> None:
    rng = np.random.default_rng(0)
    means, halves = rng.normal(0, 0.3, 4000), rng.normal(0, 0.4, 4000)
    values = 5 + np.stack([means + halves, means - halves], 1).ravel()
    samples = Samples(torch.tensor(values, dtype=torch.complex64)[:, None, None])
    deviation = samples.deviation()
    assert deviation is not None
    assert float(deviation) == pytest.approx(0.5, rel=0.05)
    assert float(samples.mean().abs()) == pytest.approx(5, rel=0.01)


def test_a_budget_bounds_the_work() -> None:
    found = restored(measured(), hfs_sde.Options(samples=64, steps=3, time_budget=1e-3))
    assert found.facts["samples"] in {1, 2}
    assert found.facts["steps"] == 3
