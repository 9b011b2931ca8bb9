"""What raters would say of a scan, told from its MRIQC measures alone.

A rating model is two simple ones that err in different ways: boosted trees on the measures,
and a straight line on their normal scores.  Their log odds are averaged and then calibrated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.special
import torch

from isocenter.data.checkpoint import Checkpoint
from isocenter.errors import BadCheckpoint, UnknownName, UsageError
from isocenter.ops.ranks import normal_scores
from isocenter.ops.trees import Trees

__all__ = ["RATERS", "Blend", "Rater", "Rating", "load", "rating"]

RATERS = ("abide", "mr_art")
"""Models that ship with the package, by the study whose raters they learned from."""
NET = "rating"
"""What the checkpoint of a rating model calls itself."""
PARTS = ("roots", "column", "number", "left", "offset", "weight", "bias")

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Blend:
    """Log odds of one yes-or-no question: the mean of boosted trees and a straight line."""

    trees: Trees
    weight: npt.NDArray[np.float32]
    """(K,), of the normal scores."""
    bias: float
    quantiles: npt.NDArray[np.float32]
    """(L, K), of the measures in training."""

    def parts(self, values: Array) -> Array:
        """Log odds by the trees and by the line, (N, K) to (N, 2)."""
        line = normal_scores(values, self.quantiles) @ self.weight.astype(float) + self.bias
        return np.stack([self.trees(values), line], axis=1)

    def log_odds(self, values: Array) -> Array:
        """(N, K) to (N,)."""
        mean: Array = self.parts(values).mean(axis=1)
        return mean

    def tensors(self, name: str) -> dict[str, torch.Tensor]:
        """As a checkpoint keeps them, under the question's name."""
        arrays = {
            "roots": self.trees.roots,
            "column": self.trees.column,
            "number": self.trees.number,
            "left": self.trees.left,
            "offset": np.array(self.trees.offset),
            "weight": self.weight,
            "bias": np.array(self.bias),
        }
        return {f"{name}.{part}": torch.from_numpy(array) for part, array in arrays.items()}


@dataclass(frozen=True)
class Rating:
    """What raters would say of a scan."""

    probability: float
    """Calibrated probability of the answer in ``of``, [0, 1]."""
    of: str
    """The answer: ``"exclude"``, or ``"score of 2 or more"``."""
    expected: float | None
    """Expected score, where the raters gave more than two; else ``None``."""
    outside: tuple[str, ...]
    """Measures beyond all that the model has seen; with several, do not trust it."""
    model: str
    model_sha256: str


class Rater:
    """A rating model with the names of its measures and its calibration.

    Raises:
        BadCheckpoint: The checkpoint holds something else.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        if checkpoint.net != NET:
            raise BadCheckpoint(f"these weights are of {checkpoint.net!r}, not of a rating model")
        try:
            self.name = str(checkpoint.card["name"])
            self.definition = str(checkpoint.preprocess["definition"])
            self.contrast = str(checkpoint.preprocess["contrast"])
            self.measures: tuple[str, ...] = tuple(checkpoint.preprocess["measures"])
            self.answers: tuple[str, ...] = tuple(checkpoint.outputs["of"])
            self._lines = [checkpoint.calibration[answer] for answer in self.answers]
            self.blends = [_blend(checkpoint, i) for i in range(len(self.answers))]
        except (KeyError, TypeError) as error:
            raise BadCheckpoint(f"these weights lack {error}; train them again") from error
        self.sha256 = checkpoint.sha256 or ""
        _check(self.blends, len(self.measures))

    def probabilities(self, values: npt.ArrayLike) -> Array:
        """Calibrated probability of every answer.

        Args:
            values: (N, K), finite, in the order of ``measures``.

        Returns:
            (N, answers); where answers are steps of a score, none is more probable than the
            step below it.
        """
        values = np.asarray(values, float)
        odds = [
            slope * blend.log_odds(values) + offset
            for blend, (slope, offset) in zip(self.blends, self._lines, strict=True)
        ]
        falling: Array = np.minimum.accumulate(scipy.special.expit(np.stack(odds, 1)), axis=1)
        return falling

    def values(self, measures: Mapping[str, float | None]) -> Array:
        """The measures of one scan in the model's order, (1, K).

        Raises:
            UsageError: Some are missing.
        """
        given = {name: value for name in self.measures if _is_number(value := measures.get(name))}
        missing = [name for name in self.measures if name not in given]
        if missing:
            shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
            raise UsageError(
                f"the rating model {self.name!r} needs {len(self.measures)} measures; "
                f"without a value: {shown}"
            )
        return np.array([[given[name] for name in self.measures]], float)

    def outside(self, values: Array) -> tuple[str, ...]:
        """Names of the measures of (1, K) that lie beyond all known ones."""
        known = self.blends[0].quantiles
        # The bounds are kept in single precision.
        beyond = (values[0].astype(np.float32) < known[0]) | (
            values[0].astype(np.float32) > known[-1]
        )
        return tuple(np.array(self.measures)[beyond].tolist())


def rating(
    measures: Mapping[str, float | None],
    *,
    definition: str,
    contrast: str | None = None,
    model: str = "abide",
) -> Rating:
    """What raters would say of a scan with these MRIQC measures.  Research use only.

    ``abide``: whether a rater would exclude a T1-weighted scan; learned from 1101 ratings at
    17 sites.  ``mr_art``: how much motion a rater would see, from 1 (none) to 3 (too much);
    learned on one scanner.  See ``docs/guide/rating.md`` for how far they can be trusted.

    Args:
        measures: Value by MRIQC's name; more than the model uses is no harm.
        definition: By which formulas they were made: ``mriqc-0.15``, ``mriqc-24``, ...
        contrast: ``"T1w"``, ...; ``None`` when unknown.
        model: One of :data:`RATERS`, or the path of a ``.safetensors`` file.

    Raises:
        UnknownName: No such model.
        UsageError: The model knows measures of another definition or contrast alone, or some
            measures are missing.
        BadCheckpoint: Missing or damaged weights.
    """
    rater = load(model)
    for kind, given, known in (
        ("definition", definition, rater.definition),
        ("contrast", contrast or rater.contrast, rater.contrast),
    ):
        if given != known:
            raise UsageError(
                f"the rating model {rater.name!r} knows measures of {kind} {known!r} alone, "
                f"not of {given!r}; measure again or train a model on those"
            )
    values = rater.values(measures)
    probabilities = rater.probabilities(values)[0]
    several = len(probabilities) > 1
    return Rating(
        probability=float(probabilities[0]),
        of=rater.answers[0],
        expected=float(1 + probabilities.sum()) if several else None,
        outside=rater.outside(values),
        model=rater.name,
        model_sha256=rater.sha256,
    )


def load(model: str) -> Rater:
    """A rating model that ships, or one from a file.

    Raises:
        UnknownName: No such model.
        BadCheckpoint: Missing, damaged, or no rating model.
    """
    if model.endswith(".safetensors"):
        return Rater(Checkpoint.load(model))
    if model not in RATERS:
        raise UnknownName("rating model", model, RATERS)
    return _shipped(model)


@cache
def _shipped(model: str) -> Rater:
    weights = Path(__file__).parents[1] / "weights"
    return Rater(Checkpoint.load(weights / f"rating_{model}.safetensors"))


def _blend(checkpoint: Checkpoint, index: int) -> Blend:
    part = {name: checkpoint.tensors[f"answer_{index}.{name}"].numpy() for name in PARTS}
    trees = Trees(
        part["roots"], part["column"], part["number"], part["left"], float(part["offset"])
    )
    quantiles = checkpoint.tensors["quantiles"].numpy()
    return Blend(trees, part["weight"], float(part["bias"]), quantiles)


def _check(blends: Sequence[Blend], n_measures: int) -> None:
    """All parts know the same measures."""
    for blend in blends:
        fits = (
            blend.trees.is_sound(n_measures)
            and blend.weight.shape == (n_measures,)
            and blend.quantiles.shape[1:] == (n_measures,)
        )
        if not fits:
            raise BadCheckpoint("the trees of these weights do not fit together; train them again")


def _is_number(value: float | None) -> bool:
    return value is not None and bool(np.isfinite(value))
