"""Ratings told from measures: what ships, what is refused, and what a checkpoint must hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from isocenter.assessors import rating
from isocenter.assessors._rating import RATERS, Rater, load
from isocenter.data.checkpoint import Checkpoint
from isocenter.datasets import mriqc
from isocenter.datasets.populations import populations
from isocenter.errors import BadCheckpoint, UnknownName, UsageError

WEIGHTS = Path(mriqc.__file__).parents[1] / "weights"
every_model = pytest.mark.parametrize("model", RATERS)


def typical(population: str = "abide", level: float = 50.0) -> dict[str, float]:
    """A scan that is in the middle of known ones in everything."""
    known = populations()[population]
    at = list(known.levels).index(level)
    return {name: quantiles[at] for name, quantiles in known.quantiles.items()}


def bad(population: str) -> dict[str, float]:
    """A scan with the worst known smoothness, shading, noise and contrast."""
    worst, weakest = typical(population, 97.5), typical(population, 2.5)
    low = ("cnr", "snr", "tpm_overlap", "fber")
    return {n: (weakest if n.startswith(low) else worst)[n] for n in worst}


@every_model
def test_a_typical_scan_is_better_than_a_bad_one(model: str) -> None:
    population = {"abide": "abide", "mr_art": "mr-art"}[model]
    fine = rating(typical(population), definition="mriqc-0.15", model=model)
    poor = rating(bad(population), definition="mriqc-0.15", model=model)
    assert fine.probability < 0.3 < poor.probability
    assert (fine.outside, fine.model) == ((), model)
    assert len(fine.model_sha256) == 64


def test_the_motion_score_lies_between_its_ends_and_agrees_with_its_steps() -> None:
    rater = load("mr_art")
    quantiles = rater.blends[0].quantiles
    drawn = np.random.default_rng(0).integers(len(quantiles), size=(200, len(rater.measures)))
    values = np.take_along_axis(quantiles, drawn, axis=0)
    steps = rater.probabilities(values)
    assert steps.shape == (200, 2)
    assert np.all(steps[:, 1] <= steps[:, 0])
    assert np.all((steps >= 0) & (steps <= 1))
    made = dict(zip(rater.measures, map(float, values[0]), strict=True))
    one = rating(made, definition="mriqc-0.15", model="mr_art")
    assert one.expected == pytest.approx(1 + steps[0].sum())
    assert one.of == "score of 2 or more"
    assert rating(made, definition="mriqc-0.15").expected is None


@every_model
def test_many_scans_at_once_are_one_after_another(model: str) -> None:
    rater = load(model)
    values = rater.blends[0].quantiles[::9].astype(float)
    single = [rater.probabilities(row[None])[0] for row in values]
    np.testing.assert_allclose(rater.probabilities(values), single, rtol=1e-12)


@pytest.mark.parametrize("definition", ["mriqc-24", "corrected"])
def test_measures_of_another_definition_are_refused(definition: str) -> None:
    with pytest.raises(UsageError, match=f"definition 'mriqc-0.15' alone, not of '{definition}'"):
        rating(typical(), definition=definition)


def test_another_contrast_is_refused() -> None:
    with pytest.raises(UsageError, match="contrast 'T1w' alone, not of 'T2w'"):
        rating(typical(), definition="mriqc-0.15", contrast="T2w")


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_missing_measure_is_named(value: float | None) -> None:
    given: Mapping[str, float | None] = {**typical(), "qi_2": value}
    with pytest.raises(UsageError, match="needs 62 measures; without a value: qi_2$"):
        rating(given, definition="mriqc-0.15")
    with pytest.raises(UsageError, match=r"cjv, cnr, efc, \.\.\.$"):
        rating({}, definition="mriqc-0.15")


def test_a_mistyped_model_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'abide'"):
        rating(typical(), definition="mriqc-0.15", model="abid")


def test_measures_beyond_all_known_ones_are_named() -> None:
    far = rating({**typical(), "cjv": 50.0, "efc": -3.0}, definition="mriqc-0.15")
    assert far.outside == ("cjv", "efc")


@every_model
def test_the_card_says_on_whom_it_was_learned_and_measured(model: str) -> None:
    found = Checkpoint.load(WEIGHTS / f"rating_{model}.safetensors")
    licence = {"abide": "Apache-2.0", "mr_art": "CC0"}[model]
    assert licence in found.card["data"][0]
    assert found.preprocess["definition"] == "mriqc-0.15"
    assert set(found.card) >= {"task", "truth", "measured", "scores", "seed", "commit", "command"}
    assert "research use only" in found.card["task"]


def test_the_models_are_small() -> None:
    sizes = [(WEIGHTS / f"rating_{model}.safetensors").stat().st_size for model in RATERS]
    assert sum(sizes) < 1_500_000


def damaged(change: str, found: Checkpoint) -> Checkpoint:
    tensors = dict(found.tensors)
    if change == "loop":
        tensors["answer_0.left"] = torch.zeros_like(tensors["answer_0.left"])
    elif change == "column":
        tensors["answer_0.column"] = tensors["answer_0.column"] + 60
    elif change == "root":
        tensors["answer_0.roots"] = tensors["answer_0.roots"] - 1
    elif change == "length":
        tensors["answer_0.number"] = tensors["answer_0.number"][:-1]
    elif change == "line":
        tensors["answer_0.weight"] = tensors["answer_0.weight"][:-1]
    elif change == "absent":
        del tensors["answer_0.left"]
    return dataclasses.replace(found, tensors=tensors)


@pytest.mark.parametrize("change", ["loop", "column", "root", "length", "line", "absent"])
def test_trees_that_do_not_fit_together_are_refused(change: str) -> None:
    found = Checkpoint.load(WEIGHTS / "rating_abide.safetensors")
    with pytest.raises(BadCheckpoint, match="train them again"):
        Rater(damaged(change, found))


@pytest.mark.parametrize(
    ("part", "content"), [("net", "hsfnet"), ("calibration", {}), ("preprocess", {}), ("card", {})]
)
def test_other_weights_are_refused(part: str, content: Any, tmp_path: Path) -> None:
    found = Checkpoint.load(WEIGHTS / "rating_abide.safetensors")
    path = dataclasses.replace(found, **{part: content}).save(tmp_path / "other.safetensors")
    with pytest.raises(BadCheckpoint):
        rating(typical(), definition="mriqc-0.15", model=str(path))


def test_a_model_from_a_file_says_the_same() -> None:
    path = str(WEIGHTS / "rating_abide.safetensors")
    shipped = rating(typical(), definition="mriqc-0.15")
    assert rating(typical(), definition="mriqc-0.15", model=path) == shipped
