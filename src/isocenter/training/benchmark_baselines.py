"""Methods without a network that the benchmark's networks are compared with."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from isocenter.training.baselines import constant, linear
from isocenter.training.baselines._learned import Learner, extra_trees
from isocenter.training.baselines._protocol import Array
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.splits import Split
from isocenter.training.inputs.benchmark_inputs import Preparation
from isocenter.training.inputs.benchmark_scans import Image
from isocenter.training.recipes.hsfnet import Benchmark, fit_temperature

__all__ = ["BASELINES", "TAKEN", "Baseline", "baseline_outcomes"]

Baseline = Literal["constant", "lines", "forest", "forest_facts"]
"""``constant``: how often each class was.  ``lines``: logistic regression, and ``forest``: a
forest, on what anyone would measure first (:func:`isocenter.ops.slabs.simple_numbers`).
``forest_facts``: a forest on these and on the facts that the improved network is given."""
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
TAKEN = ("simple", "damage")
"""Inputs that these methods are given."""
RAREST = 1e-4
"""Probability of what a method holds for impossible: what it never saw may still be."""
_LEARNERS: Mapping[str, Learner] = {
    "constant": constant.learner,
    "lines": linear.learner,
    "forest": extra_trees(0),
    "forest_facts": extra_trees(0),
}


def baseline_outcomes(
    recipe: Benchmark,
    data: Path,
    split: Split,
    name: Baseline,
    *,
    asked: Sequence[Image] | None = None,
) -> Outcomes:
    """What a method says of some images, with its temperature fitted on validation units.

    Args:
        recipe: Whose images and inputs.
        data: Folder with the scans.
        split: Sides; the method is fitted to ``train``.
        name: Which method.
        asked: Images of any data set; those of ``test`` when not given.

    Raises:
        MissingExtra: A forest needs scikit-learn.
    """
    prepared = recipe.preparation(None, TAKEN)
    known = recipe.images(data)
    learned_from = recipe.learned(data, split["train"])
    watched, tested = (
        [image for unit in split[side] for image in known[unit]] for side in ("validation", "test")
    )
    asked = tested if asked is None else asked
    labels = np.array([recipe.label(image) for image in learned_from], np.float64)
    columns = _columns(prepared, learned_from, name)
    learned = _LEARNERS[name](columns, labels, len(recipe.classes()))

    def logits(images: Sequence[Image]) -> Tensor:
        said = torch.from_numpy(learned(_columns(prepared, images, name)))
        return torch.where(said > 0, said, RAREST).log()

    truth = torch.tensor([recipe.label(image) for image in watched])
    return recipe.outcomes(asked, logits(asked), fit_temperature(logits(watched), truth))


def _columns(prepared: Preparation, images: Sequence[Image], name: Baseline) -> Array:
    taken = TAKEN if name == "forest_facts" else ("simple",)
    rows = [torch.cat([prepared(image)[part].float() for part in taken]) for image in images]
    return np.asarray(torch.stack(rows).double().numpy())
