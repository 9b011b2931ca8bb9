"""Signal over noise of low-field scans: the published numbers, the bound, the fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from isocenter.artifacts import SNR_PRIORS, SnrPrior, fit_prior, snr_prior
from isocenter.artifacts._snr_prior import published_draws
from isocenter.data.random import generator
from isocenter.errors import InputError, UnknownName, UsageError

GOLDEN = {
    ("siqt-t1-0.36T", 300): [(77.856, 66.296), (78.275, 64.805), (58.904, 46.621)],
    ("siqt-flair-0.36T", 300): [(43.829, 52.597), (44.079, 51.680), (31.312, 36.422)],
    ("siqt-flair-0.36T", 305): [(34.098, 40.816), (49.474, 61.269), (21.358, 24.721)],
}


@pytest.mark.parametrize(("name", "seed"), GOLDEN)
def test_the_published_draws_are_drawn_again(name: str, seed: int) -> None:
    rows = published_draws(SNR_PRIORS[name], 60, seed)[:3]
    assert np.abs(rows - np.array(GOLDEN[name, seed])).max() < 6e-4


@pytest.mark.parametrize("name", SNR_PRIORS)
def test_a_bounded_draw_never_turns_the_contrast_round(name: str) -> None:
    prior = SNR_PRIORS[name]
    rng = generator(1)
    pairs = np.array([prior.draw(rng) for _ in range(3000)])
    signs = np.sign(pairs[:, 0] - pairs[:, 1])
    assert len(set(signs)) == 1
    assert max(prior.distance(*pair) for pair in pairs) <= 3.035 + 1e-9
    assert np.abs(pairs.mean(0) / np.array(prior.mean) - 1).max() < 0.02


def test_the_same_seed_draws_the_same() -> None:
    prior = SNR_PRIORS["siqt-t1-0.36T"]
    assert prior.draw(generator(5)) == prior.draw(generator(5))


def test_a_fit_is_that_of_scikit_learn() -> None:
    rows = np.random.default_rng(2).multivariate_normal([35, 42], [[34, 30], [30, 50]], 9)
    fitted = fit_prior([(a, b) for a, b in rows], reference="gm", provenance="made up")
    assert np.allclose(fitted.covariance, LedoitWolf().fit(rows).covariance_)
    assert np.allclose(fitted.mean, rows.mean(0))


def test_too_few_scans_and_impossible_priors_are_refused() -> None:
    with pytest.raises(UsageError, match="4 scans are too few"):
        fit_prior([(1.0, 2.0)] * 4, reference="gm", provenance="x")
    with pytest.raises(UsageError, match="positive"):
        SnrPrior((1.0, 1.0), ((1.0, 2.0), (2.0, 1.0)), "gm", "x")


def test_a_prior_comes_back_from_its_file(tmp_path: Path) -> None:
    prior = SnrPrior((30.0, 40.0), ((9.0, 5.0), (5.0, 16.0)), "gm", "made up", None)
    path = tmp_path / "prior.json"
    path.write_text(json.dumps({**prior.to_values(), "scans": [1, 2]}))
    assert snr_prior(path) == prior
    assert prior.correlation == pytest.approx(5 / 12)


def test_a_prior_is_found_by_its_name() -> None:
    assert snr_prior("siqt-t1-0.36T") is SNR_PRIORS["siqt-t1-0.36T"]
    with pytest.raises(UnknownName, match=r"did you mean 'siqt-t1-0\.36T'"):
        snr_prior("siqt-t1-036T")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": "other"}, "format 'isocenter-snr-prior-1'"),
        ({"order": ["gm", "wm"]}, "wm before gm"),
        ({"reference": "csf"}, "which is its reference"),
        ({"mean": [1.0]}, "makes no sense"),
        ({"mean": [float("nan"), 1.0]}, "makes no sense"),
        ({"covariance": [[1.0, 2.0], [2.0, 1.0]]}, "positive definite"),
        ({"covariance": [[1.0, 0.5], [-0.5, 1.0]]}, "makes no sense"),
        ({"covariance": "x"}, "makes no sense"),
    ],
)
def test_a_file_that_is_no_prior_is_refused(
    tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    values = SNR_PRIORS["siqt-t1-0.36T"].to_values()
    (tmp_path / "p.json").write_text(json.dumps({**values, **change}))
    with pytest.raises(InputError, match=sentence):
        snr_prior(tmp_path / "p.json")


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 100_000])
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(InputError, match="prior"):
        snr_prior(tmp_path / "p.json")
    with pytest.raises(InputError, match="cannot be read"):
        snr_prior(tmp_path / "none.json")
