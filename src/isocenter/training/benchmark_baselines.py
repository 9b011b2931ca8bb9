"""Methods without a network that the benchmark's networks are compared with."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from isocenter.training.baselines._learned import scikit_learn
from isocenter.training.baselines.linear import fit_classes
from isocenter.training.benchmark_inputs import Preparation
from isocenter.training.benchmark_scans import Image
from isocenter.training.outcomes import Outcomes
from isocenter.training.recipes.hsfnet import Benchmark, fit_temperature
from isocenter.training.splits import Split

__all__ = ["BASELINES", "TAKEN", "Baseline", "baseline_outcomes"]

Baseline = Literal["constant", "lines", "forest", "forest_facts"]
"""``constant``: how often each class was.  ``lines``: logistic regression, and ``forest``: a
forest, on what anyone would measure first (:func:`isocenter.ops.slabs.simple_numbers`).
``forest_facts``: a forest on these and on the facts that the improved network is given."""
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
TAKEN = ("simple", "damage")
"""Inputs that these methods are given."""
N_TREES = 300
SHARE_TRIED = 0.3
"""Of the columns, at each split of a tree."""
RAREST = 1e-4
"""Probability below which a forest is not believed."""


def baseline_outcomes(recipe: Benchmark, data: Path, split: Split, name: Baseline) -> Outcomes:
    """What a method says of the test images, with its temperature fitted on validation units.

    Args:
        recipe: Whose images and inputs.
        data: Folder with the scans.
        split: Sides; the method is fitted to ``train``.
        name: Which method.

    Raises:
        MissingExtra: A forest needs scikit-learn.
    """
    prepared = recipe.preparation(None, TAKEN)
    known = recipe.images(data)
    learned = recipe.learned(data, split["train"])
    watched, asked = (
        [image for unit in split[side] for image in known[unit]] for side in ("validation", "test")
    )
    labels = torch.tensor([recipe.label(image) for image in learned])
    logits = _fitted(name, _columns(prepared, learned, name), labels, len(recipe.classes()))
    truth = torch.tensor([recipe.label(image) for image in watched])
    temperature = fit_temperature(logits(_columns(prepared, watched, name)), truth)
    return recipe.outcomes(asked, logits(_columns(prepared, asked, name)), temperature)


def _columns(prepared: Preparation, images: Sequence[Image], name: Baseline) -> Tensor:
    rows = []
    for image in images:
        inputs = prepared(image)
        parts = [inputs["simple"]] + ([inputs["damage"]] if name == "forest_facts" else [])
        rows.append(torch.cat(parts).float())
    return torch.stack(rows)


def _fitted(
    name: Baseline, columns: Tensor, labels: Tensor, n_classes: int
) -> Callable[[Tensor], Tensor]:
    """Log probabilities (rows, classes) of rows of columns."""
    if name == "constant":
        shares = torch.bincount(labels, minlength=n_classes) / len(labels)
        return lambda rows: shares.clamp_min(RAREST).log().expand(len(rows), -1)
    if name == "lines":
        return fit_classes(columns, labels, n_classes)
    return _forest(columns, labels, n_classes)


def _forest(columns: Tensor, labels: Tensor, n_classes: int) -> Callable[[Tensor], Tensor]:
    trees = scikit_learn("ensemble")
    forest = trees.ExtraTreesClassifier(N_TREES, max_features=SHARE_TRIED, random_state=0)
    forest.fit(columns.numpy(), labels.numpy())

    def logits(rows: Tensor) -> Tensor:
        said = torch.full((len(rows), n_classes), RAREST)
        found = torch.from_numpy(forest.predict_proba(rows.numpy())).float()
        said[:, torch.from_numpy(forest.classes_).long()] = found.clamp_min(RAREST)
        return said.log()

    return logits
