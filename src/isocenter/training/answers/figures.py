"""What is said of answers: figures by the kind of outcome, as functions of rows."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import InputError
from isocenter.statistics import (
    balanced_accuracy,
    fit_mapping,
    kappa,
    krocc,
    macro_f1,
    plcc,
    rmse,
    srocc,
)
from isocenter.training.engine.outcomes import Outcomes

__all__ = ["Figure", "calibration_error", "constant", "figures_of"]

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
Figure = Callable[[Rows], float]

PRISTINE = "pristine"
N_BINS = 15
"""Of the calibration error."""


def figures_of(outcomes: Outcomes) -> dict[str, Figure]:
    """Name of each figure, and its value on some rows; NaN where it is not defined."""
    if outcomes.kind == "classes":
        return {**_of_classes(outcomes), **_of_levels(outcomes)}
    return _of_values(outcomes)


def constant(known: Outcomes, asked: Outcomes) -> Outcomes:
    """What one would say without looking: how often each class was, or the mean value.

    Args:
        known: Of train people.
        asked: Of people to be judged.
    """
    if known.kind == "classes":
        said = np.bincount(known.truth.astype(int), minlength=len(known.columns)) / len(known.truth)
    else:
        said = np.full(1, known.truth.mean())
    columns = asked.columns[: len(said)]
    return replace(asked, outputs=np.tile(said, (len(asked.truth), 1)), columns=columns)


def calibration_error(probabilities: Array, truth: npt.NDArray[np.intp]) -> float:
    """Expected calibration error: how far the sureness of the guesses is from their share that
    is right, over 15 bins of sureness.

    Source: Guo et al., ICML 2017, equation 3.

    Args:
        probabilities: (rows, classes).
        truth: (rows,) index of the class.
    """
    sure, right = probabilities.max(1), probabilities.argmax(1) == truth
    bins = np.minimum((sure * N_BINS).astype(int), N_BINS - 1)
    counts = np.bincount(bins, minlength=N_BINS)
    gaps = np.bincount(bins, weights=sure - right, minlength=N_BINS)
    return float(np.abs(gaps).sum() / counts.sum())


def _of_classes(outcomes: Outcomes) -> dict[str, Figure]:
    truth, guess = outcomes.truth.astype(np.intp), outcomes.outputs.argmax(1)
    return {
        "accuracy": lambda i: float(np.mean(truth[i] == guess[i])),
        "balanced accuracy": lambda i: balanced_accuracy(truth[i], guess[i]),
        "macro F1": lambda i: macro_f1(truth[i], guess[i]),
        "ECE": lambda i: calibration_error(outcomes.outputs[i], truth[i]),
    }


def _of_levels(outcomes: Outcomes) -> dict[str, Figure]:
    """Of classes named ``artifact_level`` and ``pristine``: order of levels."""
    named = _named_levels(outcomes.columns)
    if named is None:
        return {}
    types, levels = named
    truth, guess = outcomes.truth.astype(np.intp), outcomes.outputs.argmax(1)
    severity = outcomes.outputs @ levels
    figures: dict[str, Figure] = {
        "SROCC(Q, severity)": lambda i: srocc(severity[i], levels[truth[i]])
    }

    def agreement(artifact: str) -> Figure:
        """Quadratic kappa of the levels of one artifact, where there is this one or none."""
        present = np.isin(types[truth], [artifact, PRISTINE])
        said = np.where(types[guess] == artifact, levels[guess], 0).astype(int)
        true = np.where(types[truth] == artifact, levels[truth], 0).astype(int)

        def figure(rows: Rows) -> float:
            kept = rows[present[rows]]
            return kappa(true[kept], said[kept]) if len(kept) else float("nan")

        return figure

    for artifact in sorted({*types.tolist()} - {PRISTINE}):
        figures[f"kappa, {artifact}"] = agreement(artifact)
    return figures


def _named_levels(columns: tuple[str, ...]) -> tuple[npt.NDArray[Any], Array] | None:
    """Artifact and level of every class, when all names say so."""
    pairs = [(name, "0") if name == PRISTINE else _type_and_level(name) for name in columns]
    if not all(kind and level.isdigit() for kind, level in pairs):
        return None
    return np.array([kind for kind, _ in pairs]), np.array([float(level) for _, level in pairs])


def _type_and_level(name: str) -> tuple[str, str]:
    kind, _, level = name.rpartition("_")
    return kind, level


def _of_values(outcomes: Outcomes) -> dict[str, Figure]:
    truth, said = outcomes.truth, outcomes.outputs[:, 0]
    if not np.isfinite(said).all():
        raise InputError("an estimate is not finite; look at the outcomes and train again")
    # One curve from all rows: drawn rows must not choose a curve of their own.
    fitted = fit_mapping(said, truth, kind="logistic4")(said) if np.ptp(said) > 0 else said
    return {
        "SROCC": lambda i: srocc(said[i], truth[i]),
        "PLCC, fitted": lambda i: plcc(fitted[i], truth[i]),
        "KROCC": lambda i: krocc(said[i], truth[i]),
        "RMSE": lambda i: rmse(said[i], truth[i]),
        "MAE": lambda i: float(np.abs(said[i] - truth[i]).mean()),
    }
