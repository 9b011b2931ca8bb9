"""Measures of head and air on images whose values are known."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import scipy.stats
import torch

from isocenter.data.scores import Score
from isocenter.measures import Anatomy, Definition
from isocenter.measures.efc import efc
from isocenter.measures.fber import fber
from isocenter.measures.fwhm import fwhm
from isocenter.measures.qi_1 import qi_1
from isocenter.measures.qi_2 import _density, _quantiles, qi_2
from isocenter.ops.filters import gaussian_blur
from tests.unit.measures._heads import BRAIN, HEAD, SIDE, anatomy, image, noise

each_definition = pytest.mark.parametrize("definition", get_args(Definition))


@pytest.fixture(scope="module")
def head() -> Anatomy:
    return anatomy()


def value(scores: tuple[Score, ...]) -> float:
    (score,) = scores
    assert score.value is not None, score.why_missing
    return score.value


def test_efc_is_one_for_voxels_that_are_all_alike() -> None:
    assert value(efc(anatomy(torch.full((SIDE,) * 3, 5.0)), definition="corrected")) == 1.0


def test_efc_is_zero_for_one_bright_voxel() -> None:
    data = torch.full((SIDE,) * 3, 1e-30)
    data[30, 30, 30] = 7.0
    assert value(efc(anatomy(data), definition="corrected")) == pytest.approx(0, abs=1e-12)


def test_efc_of_a_blank_image_is_missing() -> None:
    (score,) = efc(anatomy(torch.zeros(SIDE, SIDE, SIDE)), definition="corrected")
    assert score.value is None
    assert score.why_missing == "the image is blank: it has no energy"


def test_efc_is_the_formula_of_atkinson(head: Anatomy) -> None:
    x = head.image.double().flatten().numpy()
    b = np.sqrt((x**2).sum())
    n = x.size
    entropy = -(x / b * np.log((x + 1e-16) / b)).sum()
    expected = entropy / (n / np.sqrt(n) * np.log(np.sqrt(n)))
    assert value(efc(head, definition="corrected")) == pytest.approx(expected, rel=1e-5)


def test_efc_rises_with_ghosts(head: Anatomy) -> None:
    ghosted = image() + 0.2 * image().roll(20, 1)
    found = value(efc(anatomy(ghosted), definition="corrected"))
    assert found > value(efc(head, definition="corrected"))


def test_fber_is_the_ratio_of_energies() -> None:
    data = torch.where(noise(0) > 0, 8.0, 10.0)
    data[HEAD] = 100.0
    found = anatomy(data)
    assert found.background is not None
    around = float(data[found.background].square().mean())
    assert value(fber(found, definition="corrected")) == pytest.approx(100**2 / around)


def test_fber_of_mriqc_takes_medians(head: Anatomy) -> None:
    assert head.harmonized is not None
    assert head.background is not None
    inside = np.median(head.harmonized[HEAD].numpy() ** 2)
    around = np.median(head.harmonized[head.background].numpy() ** 2)
    assert value(fber(head, definition="mriqc-24")) == pytest.approx(inside / around, rel=1e-5)


def test_exact_zeros_of_the_air_do_not_count(head: Anatomy) -> None:
    """A quarter of the air zeroed, as one region: nothing changes but by sampling."""
    data = image()
    data[: SIDE // 4][~HEAD[: SIDE // 4]] = 0
    cut = anatomy(data)
    for measure in (fber, qi_1):
        before = value(measure(head, definition="corrected"))
        assert value(measure(cut, definition="corrected")) == pytest.approx(before, rel=0.02)


@each_definition
def test_clean_noise_holds_no_structure(head: Anatomy, definition: Definition) -> None:
    assert value(qi_1(head, definition=definition)) == 0.0


@each_definition
def test_qi_1_is_the_part_of_the_hat_that_a_block_fills(definition: Definition) -> None:
    data = image()
    data[2:8, 2:8, 56:62] = 300.0
    found = anatomy(data)
    assert found.hat is not None
    # The opening by a cross takes edges and corners off a block of 6: 6^3 - (8 + 12 * 4).
    expected = (216 - 56) / float(found.hat.sum())
    assert value(qi_1(found, definition=definition)) == pytest.approx(expected, rel=0.01)
    assert found.air is not None
    assert not found.air[2:8, 2:8, 56:62].any()


@each_definition
def test_qi_2_is_the_same_every_time(head: Anatomy, definition: Definition) -> None:
    first = value(qi_2(head, definition=definition))
    assert first > 0
    assert value(qi_2(head, definition=definition)) == first


def test_what_is_not_noise_raises_qi_2(head: Anatomy) -> None:
    lines = image() + torch.where(HEAD, 0.0, 40 * (torch.arange(SIDE) % 4 == 0).float())
    worse = value(qi_2(anatomy(lines), definition="corrected"))
    assert worse > 1.5 * value(qi_2(head, definition="corrected"))


def test_rayleigh_noise_fits_the_corrected_model(head: Anatomy) -> None:
    """The kernel alone widens the density; beyond that, the noise is chi distributed."""
    assert value(qi_2(head, definition="corrected")) < 5e-4


def test_the_density_is_that_of_a_kernel_at_every_sample() -> None:
    values = np.abs(np.random.default_rng(0).normal(40, 25, 3000))
    grid = np.linspace(0, 110, 1000)
    kernel = np.exp(-0.5 * ((grid[:, None] - values) / 4) ** 2) / (4 * np.sqrt(2 * np.pi))
    assert np.abs(_density(values, grid, 4.0) - kernel.mean(1)).max() < 2e-5


def test_quantiles_fit_as_all_samples_do() -> None:
    values = scipy.stats.chi.rvs(3, scale=10, size=40000, random_state=0)
    few = scipy.stats.chi.fit(_quantiles(values), floc=0)
    every = scipy.stats.chi.fit(values, floc=0)
    assert few == pytest.approx(every, rel=0.01)


@pytest.mark.parametrize("definition", ["corrected", "mriqc-24"])
def test_fwhm_of_blurred_noise_is_that_of_the_blur(definition: Definition) -> None:
    sigma = (1.0, 1.4, 0.8)
    data = 500 + gaussian_blur(100 * noise(5), sigma)
    scores = {s.name: s.value for s in fwhm(anatomy(data), definition=definition)}
    for axis, width in zip("xyz", sigma, strict=True):
        assert scores[f"fwhm_{axis}"] == pytest.approx(2.3548 * width, rel=0.04)
    assert scores["fwhm_avg"] == pytest.approx(2.3548 * sum(sigma) / 3, rel=0.03)


def test_a_trend_does_not_change_the_corrected_fwhm() -> None:
    data = 500 + gaussian_blur(100 * noise(5), (1.0, 1.0, 1.0))
    slope = (torch.arange(SIDE) / SIDE)[:, None, None] * 300
    for definition, same in (("corrected", True), ("mriqc-24", False)):
        plain = fwhm(anatomy(data), definition=definition)[0].value
        tilted = fwhm(anatomy(data + slope), definition=definition)[0].value
        assert (tilted == pytest.approx(plain, rel=0.01)) is same


def test_white_noise_has_no_smoothness_or_little() -> None:
    (x, *_) = fwhm(anatomy(500 + noise(6)), definition="mriqc-24")
    assert x.value is None or x.value < 1
    assert x.value is not None or "no smoothness" in str(x.why_missing)


def test_an_empty_brain_has_no_fwhm() -> None:
    for score in fwhm(anatomy(brain=torch.zeros_like(BRAIN)), definition="corrected"):
        assert score.why_missing == "the brain is empty"
