"""Calibration, scores and baselines on made predictions with known truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from isocenter.assessors._evidence import presence
from isocenter.assessors._outputs import OUTPUTS, PUBLISHED_CLASSES, TYPES, quality_to_target
from isocenter.assessors.hsfnet import foreign_odds, mahalanobis
from isocenter.data.random import generator
from isocenter.ops.shading import N_SHADING_SIZES, N_SHADING_TERMS
from isocenter.ops.slabs import N_SIMPLE
from isocenter.training.answers import predictions
from isocenter.training.answers.calibrate import calibrate, fit_domain
from isocenter.training.answers.evaluate import (
    evaluate_baselines,
    evaluate_physical,
    evaluate_published,
    quality_of,
    table,
)
from isocenter.training.answers.predictions import Predictions, concatenate
from isocenter.training.baselines.linear import fit_classes, fit_values

SIZE = sum(OUTPUTS.values())
QUALITY_AT = OUTPUTS["levels"] + OUTPUTS["published"]
ALONE_AT = QUALITY_AT + 1
QUALITY = {0: 1.0, 1: 0.95, 2: 0.85, 3: 0.7, 4: 0.5}


def made(
    *, n_people: int = 8, certainty: float = 6.0, seed: int = 0, preset: str = "physical"
) -> Predictions:
    """Rows of a network that is right, more or less: all versions of ``n_people`` scans."""
    rng = generator(seed)
    names, outputs, quality = [], [], []
    versions = [("pristine", 0), *((t, v) for t in TYPES for v in (1, 2, 3, 4))]
    for person in range(n_people):
        for artifact, level in versions:
            if preset == "hsfnet-2025" and artifact == "bias":
                continue
            names.append(f"p{person}|scan|brain|0|{preset}|{artifact}|{level}")
            row = torch.randn(SIZE, generator=rng)
            row[0:30:5] += certainty
            if level:
                at = 5 * TYPES.index(artifact)
                row[at] -= certainty
                row[at + level] += certainty
            if (artifact, level) in PUBLISHED_CLASSES:
                row[30 + PUBLISHED_CLASSES.index((artifact, level))] += certainty
            quality.append(QUALITY[level])
            noise = 0.05 * float(torch.randn((), generator=rng))
            # A straight line away from the scale: calibration has to find the way back.
            wanted = float(quality_to_target(torch.tensor(QUALITY[level])))
            row[QUALITY_AT] = (wanted - 1) / 2 + noise
            if level:
                row[ALONE_AT + TYPES.index(artifact)] = (wanted - 1) / 2 + noise
            outputs.append(row)
    stacked = torch.stack(outputs)
    features = torch.randn(len(names), 16, generator=rng)
    simple = torch.randn(len(names), N_SIMPLE, generator=rng)
    simple[:, 8:14] = stacked[:, 0:30:5]
    truth = torch.tensor(quality)
    shading = torch.randn(len(names), N_SHADING_SIZES + N_SHADING_TERMS, generator=rng)
    return Predictions(tuple(names), stacked, features, truth, simple, shading)


def foreign(n: int = 60) -> Predictions:
    rng = generator(9)
    names = tuple(f"object-{i}|object|foreign|0|none|none|0" for i in range(n))
    features = 5 + torch.randn(n, 16, generator=rng)
    simple = torch.randn(n, N_SIMPLE, generator=rng)
    blank = torch.zeros(n, SIZE)
    return Predictions(names, blank, features, torch.zeros(n), simple, torch.zeros(n, 13))


def fit(rows: Predictions) -> tuple[dict[str, object], dict[str, torch.Tensor]]:
    return calibrate(rows, fit_domain(rows, foreign()))


def test_predictions_survive_a_file(tmp_path: Path) -> None:
    rows = made(n_people=2)
    rows.save(tmp_path / "rows.safetensors")
    again = predictions.load(tmp_path / "rows.safetensors")
    assert again.names == rows.names
    assert torch.equal(again.outputs, rows.outputs)
    both = concatenate([rows, again])
    assert len(both.names) == 2 * len(rows.names)
    kept = both.where(both.column("artifact") == "noise")
    assert set(kept.column("artifact")) == {"noise"}
    assert kept.outputs.shape[0] == len(kept.names) == 16


def test_quality_scale_is_found_again() -> None:
    rows = made()
    _, fitted = fit(rows)
    quality = quality_of(rows, fitted)
    assert np.abs(quality - rows.quality.numpy()).max() < 0.15


def test_intervals_cover_as_often_as_they_say() -> None:
    measured = evaluate_physical(made(seed=2, n_people=20), *fit(made(seed=1, n_people=12)))
    assert 0.82 <= measured["90 % interval covers"]["value"] <= 0.97


def test_probabilities_are_calibrated() -> None:
    """Of the findings said with 60 to 90 %, about three in four are there."""
    rows = made(n_people=20, certainty=1.2)
    _, fitted = fit(rows)
    said = presence(rows.outputs, fitted).numpy()
    there = np.stack([rows.column("artifact") == name for name in TYPES], 1)
    sure = (said > 0.6) & (said < 0.9)
    assert sure.sum() > 20
    assert abs(there[sure].mean() - said[sure].mean()) < 0.12


def test_a_right_network_scores_high_and_a_blind_one_low() -> None:
    right = made()
    fits = fit(right)
    measured = evaluate_physical(made(seed=3), *fits)
    assert measured["type right, levels 2-4"]["value"] > 0.95
    assert measured["pristine called pristine"]["value"] > 0.85
    assert measured["Q falls with every level"]["value"] > 0.9
    blind = evaluate_physical(made(seed=3, certainty=0.0), *fits)
    assert blind["type right, levels 2-4"]["value"] < 0.35
    low, high = measured["SROCC(Q, SSIM), all"]["interval"]
    assert low - 1e-3 <= measured["SROCC(Q, SSIM), all"]["value"] <= high + 1e-3
    assert "| type right, levels 2-4 |" in table(measured)


def test_published_classes_are_counted() -> None:
    measured = evaluate_published(made(preset="hsfnet-2025", certainty=9.0))
    assert measured["accuracy, 21 classes"]["value"] > 0.95
    assert measured["macro F1, 21 classes"]["value"] > 0.95


def test_baselines_learn_from_known_people_only() -> None:
    measured = evaluate_baselines(made(seed=4), made(seed=5))
    assert measured["type right, levels 2-4"]["value"] > 0.8
    assert measured["type right, always guessing one"]["value"] == pytest.approx(1 / 6)


def test_foreign_rows_are_told_from_known_ones() -> None:
    known = made()
    calibration, domain = fit(known)
    limits = calibration["domain"]
    assert isinstance(limits, dict)
    held = made(seed=6)
    inside = foreign_odds(held.features, held.simple, domain["domain.odds"])
    outside = foreign_odds(foreign().features, foreign().simple, domain["domain.odds"])
    assert (inside <= limits["odds"]).float().mean() > 0.95
    assert (outside > limits["odds"]).float().mean() > 0.9
    gaussian = domain["domain.mean"], domain["domain.precision"]
    far = mahalanobis(foreign().features, *gaussian)
    assert (far > mahalanobis(held.features, *gaussian).median()).all()


def test_logistic_regression_finds_a_line() -> None:
    x = torch.randn(300, 3, generator=generator(0))
    classes = (x[:, 0] + 0.5 * x[:, 1] > 0.2).long()
    line = fit_classes(x, classes, 2)
    assert (line(x).argmax(1) == classes).float().mean() > 0.97


def test_ridge_regression_finds_the_coefficients() -> None:
    x = torch.randn(400, 3, generator=generator(0))
    y = 2 * x[:, 0] - x[:, 2] + 0.5
    assert torch.allclose(fit_values(x, y)(x)[:, 0], y, atol=0.15)
