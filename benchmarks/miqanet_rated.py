"""MIQANet on rated images, each reference left out in turn, and measures without training.

    python benchmarks/miqanet_rated.py DATA OUT [--start WEIGHTS] [--steps 400] [--seeds 1]

DATA is the collection of real scans, from which the stand-in of ``benchmarks/compare.py`` is made,
or a folder with ``ratings.csv`` and ``images`` (RAD-IQMRI, say).  Every fold is a training of its
own below OUT and is passed over when it is there.  Prints the table for docs/benchmarks.md:
median and quartiles over folds (and seeds).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from compare import MEASURE, REFERENCES
from torch import Tensor

import isocenter as iso
from isocenter.datasets.rad_iqmri import read_grey, read_ratings
from isocenter.metrics.brisque import brisque
from isocenter.metrics.niqe import niqe
from isocenter.study.rated_standin import IMAGES, RATINGS, make_standin
from isocenter.training.engine.fabric import make_fabric
from isocenter.training.engine.loop import Trainer
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.recipes.miqanet_rated import (
    MiqanetRatedRecipe,
    agreement_of_folds,
    scaled,
)

SHOWN = {"srocc": "SROCC", "plcc_fitted": "PLCC", "krocc": "KROCC", "rmse": "RMSE"}


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    data = _rated(options)
    n_folds = len(MiqanetRatedRecipe().people(data))
    runs = [(seed, fold) for seed in range(1, options.seeds + 1) for fold in range(n_folds)]
    rows: dict[str, list[Outcomes]] = {"MIQANet": [_fold(options, data, *run) for run in runs]}
    rows |= {metric.__name__: list(_untrained(data, metric)) for metric in (brisque, niqe)}
    print(f"| method | {' | '.join(SHOWN.values())} |")
    print("|---|---|---|---|---|")
    for name, folds in rows.items():
        found = agreement_of_folds(folds)
        cells = ["{:.3f} ({:.3f} to {:.3f})".format(*found[key]) for key in SHOWN]
        print(f"| {name} | {' | '.join(cells)} |")


def _rated(options: argparse.Namespace) -> Path:
    if (options.data / RATINGS).exists():
        return Path(options.data)
    standin = options.out / "standin"
    if not (standin / "truth.json").exists():
        scans = {name: iso.read(options.data / file) for name, file in REFERENCES.items()}
        make_standin(scans, standin, rng=iso.generator(1), measure=MEASURE)
    return Path(standin)


def _fold(options: argparse.Namespace, data: Path, seed: int, fold: int) -> Outcomes:
    """Answers of the network that has not seen one reference."""
    folder = options.out / f"seed-{seed}" / f"fold-{fold}"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "outcomes-test.tsv"
    if file.exists():
        return Outcomes.load(file)
    plain = MiqanetRatedRecipe()
    schedule = replace(plain.schedule, n_steps=options.steps, validate_every=options.steps)
    recipe = MiqanetRatedRecipe(seed=seed, fold=fold, start=options.start, schedule=schedule)
    split = recipe.split(data)
    task = recipe.task(data, split, folder)
    fabric = make_fabric(options.device, precision=schedule.precision)
    trainer = Trainer(task, schedule, folder, fabric, seed=seed)
    trainer.resume()
    trainer.run(say=lambda line: print(f"seed {seed} fold {fold}  {line}", flush=True))
    answers = recipe.answers(trainer.averaged(), data, split["test"], print)
    answers.save(file)
    return answers


def _untrained(data: Path, metric: Callable[..., Tensor]) -> Iterator[Outcomes]:
    """A measure of every picture, fold by fold, higher being better."""
    found = read_ratings(data / RATINGS, data / IMAGES)
    for reference in found.references:
        rows = [row for row in found.rows if row.reference == reference]
        said = [
            -float(metric(scaled(read_grey(row.image), 64)[None, None], data_range=1.0))
            for row in rows
        ]
        yield Outcomes(
            kind="values",
            people=(reference.stem,) * len(rows),
            items=tuple(row.image.name for row in rows),
            truth=np.array([row.mos for row in rows]),
            outputs=np.array(said)[:, None],
            columns=("estimate",),
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", help="weights of the recipe miqanet to begin from")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
