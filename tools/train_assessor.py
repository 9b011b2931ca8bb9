"""Train, calibrate and measure the assessor that ships with the package.

    python tools/train_assessor.py --data DATA --out runs/assessor

DATA holds the folders ``brains``, ``labels``, ``ms`` and ``dicom``.  Every stage leaves a file
in OUT and is passed over when its file is there, so the command goes on where it stopped:
``state.safetensors`` (training), ``predictions-SIDE.safetensors`` (what the network says of
simulated scans), ``hsfnet.safetensors`` (weights with calibration and card) and ``scores.md``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from sklearn.ensemble import ExtraTreesRegressor

from isocenter.assessors._outputs import quality_to_target
from isocenter.assessors._shading import shading_tensors, with_trees
from isocenter.assessors.hsfnet import Assessor
from isocenter.data.atomic import write_text
from isocenter.data.checkpoint import Checkpoint
from isocenter.datasets.collection import Source, sources
from isocenter.ops.trees import Trees
from isocenter.training.answers.calibrate import calibrate, fit_domain
from isocenter.training.answers.evaluate import (
    evaluate_baselines,
    evaluate_physical,
    evaluate_published,
    table,
)
from isocenter.training.answers.predictions import (
    Predictions,
    concatenate,
    load,
    predict,
    predict_foreign,
    predict_shading,
)
from isocenter.training.engine.commit import commit_of
from isocenter.training.engine.fabric import make_fabric
from isocenter.training.engine.loop import Trainer
from isocenter.training.recipes.assessor import AssessorRecipe
from isocenter.training.trees import lay_out

SIDES = {
    # side: (presets, variants of each scan, every n-th scan)
    "known": (("physical",), 1, 3),
    "validation": (("physical",), 2, 1),
    "test": (("physical", "hsfnet-2025"), 1, 1),
}
N_LIGHTINGS = 8
"""Variants of each training scan from which the trees learn how heads are lit."""
N_FOREIGN = 120
"""Painted objects that teach what is no head."""


def main() -> None:
    options = _options()
    recipe = AssessorRecipe()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    train(recipe, options)
    predict_all(recipe, options)
    finish(recipe, options)


def train(recipe: AssessorRecipe, options: argparse.Namespace) -> None:
    """Train to the last step and leave the averaged weights in ``raw.safetensors``."""
    if (options.out / "raw.safetensors").exists():
        return
    scans = options.out / "scans"
    scans.mkdir(exist_ok=True)
    task = recipe.task(options.data, recipe.split(options.data), scans)
    fabric = make_fabric(options.device, precision=recipe.schedule.precision)
    trainer = Trainer(task, recipe.schedule, options.out, fabric, seed=recipe.seed)
    trainer.resume()
    if not trainer.run(n_workers=options.workers, say=_say):
        sys.exit(130)
    recipe.checkpoint(trainer.averaged(), {}).save(options.out / "raw.safetensors")


def predict_all(recipe: AssessorRecipe, options: argparse.Namespace) -> None:
    """Let the network look at every version of every scan, several processes at once."""
    for side in SIDES:
        file = options.out / f"predictions-{side}.safetensors"
        if file.exists():
            continue
        scans = recipe.side(options.data, "train" if side == "known" else side)
        parts = _deal(scans[:: SIDES[side][2]], options.processes)
        jobs = [(options, side, part) for part in parts]
        _in_processes(_predict, jobs).save(file)
    file = options.out / "predictions-shading.safetensors"
    if not file.exists():
        parts = _deal(recipe.side(options.data, "train"), options.processes)
        _in_processes(_predict_shading, [(recipe, part) for part in parts]).save(file)
    file = options.out / "predictions-foreign.safetensors"
    if not file.exists():
        share = N_FOREIGN // options.processes
        jobs = [(options, i * share, share) for i in range(options.processes)]
        _in_processes(_predict_foreign, jobs).save(file)


def _in_processes(work: Callable[..., Predictions], jobs: list[tuple[Any, ...]]) -> Predictions:
    with multiprocessing.get_context("spawn").Pool(len(jobs)) as pool:
        return concatenate(pool.starmap(work, jobs))


def finish(recipe: AssessorRecipe, options: argparse.Namespace) -> None:
    """Calibrate on validation people, measure on test people, write weights and scores."""
    rows = {side: load(options.out / f"predictions-{side}.safetensors") for side in SIDES}
    foreign = load(options.out / "predictions-foreign.safetensors")
    trees = fit_shading(load(options.out / "predictions-shading.safetensors"), recipe.seed)
    rows = {
        side: replace(part, outputs=with_trees(part.outputs, part.shading, trees))
        for side, part in rows.items()
    }
    domain = fit_domain(concatenate([rows["known"], rows["validation"]]), foreign)
    calibration, fitted = calibrate(rows["validation"], domain)
    fitted |= shading_tensors(trees)
    preset, level = rows["test"].column("preset"), rows["test"].column("level")
    physical = rows["test"].where(preset == "physical")
    published = rows["test"].where((preset == "hsfnet-2025") | (level == "0"))
    scores = {
        "physical": evaluate_physical(physical, calibration, fitted),
        "physical, brains only": evaluate_physical(_brains(physical), calibration, fitted),
        "physical, straight lines on simple numbers": evaluate_baselines(rows["known"], physical),
        "hsfnet-2025, brains": evaluate_published(_brains(published)),
    }
    raw = Checkpoint.load(options.out / "raw.safetensors")
    tensors = {**raw.weights(), **{f"fitted.{key}": value for key, value in fitted.items()}}
    card = _card(recipe, options.data, scores)
    made = replace(raw, tensors=tensors, calibration=calibration, card=card)
    made.save(options.out / "hsfnet.safetensors", dtype=torch.float16)
    text = "\n\n".join(f"## {name}\n\n{table(measured)}" for name, measured in scores.items())
    write_text(options.out / "scores.md", text + "\n")
    print(text)


def fit_shading(rows: Predictions, seed: int) -> Trees:
    """Quality that ``bias`` alone leaves, from how a head is lit."""
    forest = ExtraTreesRegressor(n_estimators=200, min_samples_leaf=2, random_state=seed)
    forest.fit(rows.shading.numpy(), quality_to_target(rows.quality).numpy())
    grown = [tree.tree_ for tree in forest.estimators_]
    return lay_out(grown, [tree.value.ravel() / len(grown) for tree in grown])


def _brains(rows: Predictions) -> Predictions:
    return rows.where(rows.column("kind") == "brain")


def _predict(options: argparse.Namespace, side: str, scans: list[Source]) -> Predictions:
    torch.set_num_threads(1)
    assessor = Assessor(Checkpoint.load(options.out / "raw.safetensors"), "cpu")
    presets, n_variants, _ = SIDES[side]
    seed = AssessorRecipe().seed
    return predict(assessor, scans, presets=presets, n_variants=n_variants, seed=seed, say=_say)


def _predict_shading(recipe: AssessorRecipe, scans: list[Source]) -> Predictions:
    torch.set_num_threads(1)
    return predict_shading(
        recipe.preprocess, scans, n_variants=N_LIGHTINGS, seed=recipe.seed, say=_say
    )


def _predict_foreign(options: argparse.Namespace, first: int, count: int) -> Predictions:
    torch.set_num_threads(1)
    assessor = Assessor(Checkpoint.load(options.out / "raw.safetensors"), "cpu")
    return predict_foreign(assessor, first=first, count=count, seed=AssessorRecipe().seed, say=_say)


def _say(line: str) -> None:
    print(line, flush=True)


def _deal(scans: tuple[Source, ...], n: int) -> list[list[Source]]:
    return [part for i in range(n) if (part := list(scans[i::n]))]


def _card(recipe: AssessorRecipe, data: Path, scores: dict[str, Any]) -> dict[str, Any]:
    split = recipe.split(data)
    return {
        "name": "hsfnet",
        "task": "artifact type, level and quality of head MR scans; research use only",
        "licence": "Apache-2.0",
        "data": sorted({source.origin for source in sources(data)}),
        "foreign": f"{N_FOREIGN} painted objects that are no heads, for the domain check",
        "damage": "simulated: presets physical and hsfnet-2025, singly and in pairs",
        "shading": "200 randomised trees on all training scans, eight variants of each",
        "quality": "SSIM against the undamaged scan inside the head, mean over slices",
        "split": {side: list(people) for side, people in split.items()},
        "seed": recipe.seed,
        "schedule": asdict(recipe.schedule),
        "commit": commit_of(Path(__file__).parent),
        "command": "python tools/train_assessor.py --data DATA --out runs/assessor",
        "torch": torch.__version__,
        "scores": scores,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2, help="processes that simulate")
    parser.add_argument("--threads", type=int, default=1, help="threads of the network")
    parser.add_argument("--processes", type=int, default=2, help="processes that measure")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
