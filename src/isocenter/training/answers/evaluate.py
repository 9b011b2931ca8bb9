"""Scores of the assessor on people it never saw, with intervals by person."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isocenter.assessors._evidence import presence, quality
from isocenter.assessors._outputs import (
    PUBLISHED_CLASSES,
    TYPES,
    quality_to_target,
    split_outputs,
    target_to_quality,
)
from isocenter.statistics import bootstrap_by_person, macro_f1, srocc
from isocenter.training.answers.predictions import Predictions
from isocenter.training.baselines.linear import fit_classes, fit_values

__all__ = [
    "evaluate_baselines",
    "evaluate_physical",
    "evaluate_published",
    "quality_of",
    "table",
]

Measured = dict[str, dict[str, Any]]
TOLERANCE = 0.02
"""Rise of the quality (0 to 1) from one level to the next that counts as a draw."""


def quality_of(rows: Predictions, fitted: Mapping[str, Tensor]) -> np.ndarray:
    """Calibrated quality of every row, 0 to 1."""
    target = quality(rows.outputs, fitted)
    return np.asarray(target_to_quality(target).numpy())


def evaluate_physical(
    rows: Predictions, calibration: Mapping[str, Any], fitted: Mapping[str, Tensor]
) -> Measured:
    """Type, pristine, quality and order of levels under the preset ``physical``."""
    artifact, level = rows.column("artifact"), rows.column("level").astype(int)
    probability = presence(rows.outputs, fitted).numpy()
    named = np.array(TYPES)[probability.argmax(1)]
    called = np.where(probability.max(1) >= 0.5, named, "pristine")
    q, truth = quality_of(rows, fitted), rows.quality.numpy()
    strong = level >= 2
    measured: Measured = {
        "type right, levels 2-4": _measure(rows, (named == artifact)[strong].astype(float), strong),
        "found and right, levels 2-4": _measure(
            rows, (called == artifact)[strong].astype(float), strong
        ),
        "pristine called pristine": _measure(
            rows, (called == "pristine")[level == 0].astype(float), level == 0
        ),
        "SROCC(Q, SSIM), all": _measure_pair(rows, q, truth, np.ones(len(level), bool)),
        "90 % interval covers": _measure(
            rows, _covered(rows, calibration, fitted), np.ones(len(level), bool)
        ),
        "Q falls with every level": _measure_order(rows, q, every=True),
        "Q falls from level 1 to 4": _measure_order(rows, q, every=False),
    }
    for name in TYPES:
        keep = artifact == name
        measured[f"SROCC(Q, SSIM), {name}"] = _measure_pair(rows, q, truth, keep)
        right = (named == artifact)[keep & strong].astype(float)
        measured[f"type right, levels 2-4, {name}"] = _measure(rows, right, keep & strong)
    return measured


def evaluate_published(rows: Predictions) -> Measured:
    """The 21 classes of the preset ``hsfnet-2025``."""
    artifact, level = rows.column("artifact"), rows.column("level").astype(int)
    truth = np.array(
        [PUBLISHED_CLASSES.index((a, v)) for a, v in zip(artifact, level, strict=True)]
    )
    guess = split_outputs(rows.outputs).published.argmax(-1).numpy()
    people = rows.column("person").tolist()
    everything = np.ones(len(truth), bool)
    return {
        "accuracy, 21 classes": _measure(rows, (guess == truth).astype(float), everything),
        "macro F1, 21 classes": _with_interval(
            people, lambda i: macro_f1(truth[i], guess[i]), len(truth)
        ),
        "accuracy of always guessing one class": {
            "value": 1 / 21,
            "interval": None,
            "n": len(truth),
        },
    }


def evaluate_baselines(known: Predictions, rows: Predictions) -> Measured:
    """The preset ``physical`` by a constant and by straight lines on a few numbers.

    Args:
        known: Rows of training people, to which the lines are fitted.
        rows: Rows of people to be judged.
    """
    names = (*TYPES, "pristine")
    truth = rows.column("artifact")
    classes = torch.tensor([names.index(name) for name in known.column("artifact")])
    logits = fit_classes(known.simple, classes, len(names))(rows.simple)
    named = np.array(TYPES)[logits[:, :-1].argmax(1).numpy()]
    called = np.array(names)[logits.argmax(1).numpy()]
    line = fit_values(known.simple, quality_to_target(known.quality))
    estimate = line(rows.simple)[:, 0].numpy()
    level = rows.column("level").astype(int)
    strong, everything = level >= 2, np.ones(len(level), bool)
    return {
        "type right, levels 2-4": _measure(rows, (named == truth)[strong].astype(float), strong),
        "found and right, levels 2-4": _measure(
            rows, (called == truth)[strong].astype(float), strong
        ),
        "pristine called pristine": _measure(
            rows, (called == "pristine")[level == 0].astype(float), level == 0
        ),
        "SROCC(Q, SSIM), all": _measure_pair(rows, estimate, rows.quality.numpy(), everything),
        "type right, always guessing one": {"value": 1 / 6, "interval": None, "n": len(level)},
    }


def table(measured: Measured) -> str:
    """A markdown table."""
    lines = ["| measure | value | 95 % interval by person | rows |", "|---|---|---|---|"]
    for name, entry in measured.items():
        low_high = entry["interval"]
        interval = "-" if low_high is None else f"{low_high[0]:.3f} to {low_high[1]:.3f}"
        lines.append(f"| {name} | {entry['value']:.3f} | {interval} | {entry['n']} |")
    return "\n".join(lines)


def _covered(
    rows: Predictions, calibration: Mapping[str, Any], fitted: Mapping[str, Tensor]
) -> np.ndarray:
    """1 where the truth lies in the predicted 90 % interval."""
    fit = calibration["quality"]
    target = quality(rows.outputs, fitted)
    bins = torch.bucketize(target, torch.tensor(fit["edges"], dtype=target.dtype))
    width = torch.tensor(fit["half_widths"])[bins]
    low, high = target_to_quality(target - width), target_to_quality(target + width)
    return np.asarray(((rows.quality >= low) & (rows.quality <= high)).double().numpy())


def _measure_order(rows: Predictions, quality: np.ndarray, *, every: bool) -> dict[str, Any]:
    """Share of (scan, artifact) whose quality falls, within the tolerance.

    Args:
        rows: Predictions.
        quality: Of every row, 0 to 1.
        every: From each level to the next, or only from the first to the last.
    """
    keys = [name.rsplit("|", 1)[0] for name in rows.names]
    level = rows.column("level").astype(int)
    people, fine = [], []
    for key in sorted({k for k, v in zip(keys, level, strict=True) if v > 0}):
        series = sorted((v, q) for k, v, q in zip(keys, level, quality, strict=True) if k == key)
        values = [q for _, q in series]
        steps = np.diff(values if every else [values[0], values[-1]])
        fine.append(float((steps <= TOLERANCE).all()))
        people.append(key.split("|")[0])
    counted = np.array(fine)
    return _with_interval(people, lambda i: float(counted[i].mean()), len(counted))


def _measure(rows: Predictions, values: np.ndarray, keep: np.ndarray) -> dict[str, Any]:
    people = rows.column("person")[keep].tolist()
    return _with_interval(people, lambda i: float(values[i].mean()), len(values))


def _measure_pair(
    rows: Predictions, x: np.ndarray, y: np.ndarray, keep: np.ndarray
) -> dict[str, Any]:
    people, x, y = rows.column("person")[keep].tolist(), x[keep], y[keep]
    return _with_interval(people, lambda i: srocc(x[i], y[i]), len(x))


def _with_interval(
    people: list[str], statistic: Callable[[np.ndarray], float], n: int
) -> dict[str, Any]:
    interval = bootstrap_by_person(people, statistic, rng=np.random.default_rng(0), n_draws=500)
    return {"value": statistic(np.arange(n)), "interval": list(interval), "n": n}
