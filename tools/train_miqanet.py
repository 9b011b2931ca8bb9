"""Train, calibrate and measure the MIQANet that ships with the package.

    python tools/train_miqanet.py --data DATA --out runs/miqanet --hsfnet runs/assessor

DATA holds the folders ``brains``, ``labels``, ``ms`` and ``dicom``.  Every stage leaves files in
OUT and is passed over when they are there, so the command goes on where it stopped: ``scratch``
(simulated scans, and every version of validation and test scans in slices),
``state.safetensors`` (training), ``raw.safetensors`` (weights), ``said-SIDE.safetensors`` and
``natural-scene.safetensors`` (what is said of every version), ``miqanet.safetensors`` (weights with
calibration and card) and ``scores.md``.  ``runs/assessor`` is the folder of
``tools/train_assessor.py``: what HSFNet says of the same versions stands in the scores, and the
straight lines are fitted to its rows of training people.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from isocenter.assessors._evidence import FITTED
from isocenter.assessors._outputs import TYPES, quality_to_target, target_to_quality
from isocenter.assessors._shading import shading_trees, with_trees
from isocenter.data.atomic import write_bytes, write_text
from isocenter.data.checkpoint import Checkpoint
from isocenter.datasets.collection import Source, sources
from isocenter.metrics.brisque import brisque
from isocenter.metrics.niqe import niqe
from isocenter.nets.miqanet import build
from isocenter.statistics import bootstrap_by_person, bootstrap_difference_by_person, srocc
from isocenter.training.answers.evaluate import quality_of
from isocenter.training.answers.intervals import fit_quality
from isocenter.training.answers.predictions import load
from isocenter.training.baselines.linear import fit_values
from isocenter.training.engine.commit import commit_of
from isocenter.training.engine.fabric import make_fabric
from isocenter.training.engine.loop import Trainer
from isocenter.training.inputs.slices import VERSIONS, VersionSlices
from isocenter.training.recipes.miqanet import MiqanetRecipe, truth_of

TISSUE = 0.15
"""Brightness, in units of the head's, from which a pixel counts as head for BRISQUE and NIQE."""
Method = dict[str, np.ndarray]
"""Name of a method to its quality of every row, higher is better."""


@dataclass(frozen=True)
class Rows:
    """Every version of the scans of one side."""

    names: tuple[str, ...]
    """As in :class:`isocenter.training.answers.predictions.Predictions`."""
    truth: np.ndarray
    """(rows,) mean SSIM of the slices."""
    methods: Method

    @property
    def people(self) -> list[str]:
        return [name.split("|")[0] for name in self.names]

    @property
    def artifact(self) -> np.ndarray:
        return np.array([name.split("|")[5] for name in self.names])


def main() -> None:
    options = _options()
    recipe = MiqanetRecipe()
    torch.set_num_threads(options.threads)
    for folder in ("scans", "versions"):
        (options.out / "scratch" / folder).mkdir(parents=True, exist_ok=True)
    train(recipe, options)
    finish(recipe, options)


def train(recipe: MiqanetRecipe, options: argparse.Namespace) -> None:
    """Train to the last step and leave the weights in ``raw.safetensors``."""
    if (options.out / "raw.safetensors").exists():
        return
    scratch = options.out / "scratch"
    task = recipe.task(options.data, recipe.split(options.data), scratch)
    fabric = make_fabric(options.device, precision=recipe.schedule.precision)
    trainer = Trainer(task, recipe.schedule, options.out, fabric, seed=recipe.seed)
    trainer.resume()
    if not trainer.run(n_workers=options.workers, say=_say):
        sys.exit(130)
    recipe.checkpoint(trainer.averaged(), {}).save(options.out / "raw.safetensors")


def finish(recipe: MiqanetRecipe, options: argparse.Namespace) -> None:
    """Calibrate on validation people, measure on test people, write weights and scores."""
    raw = Checkpoint.load(options.out / "raw.safetensors")
    net = build(recipe.config)
    raw.load_into(net)
    net.eval()
    validation, test = (look(recipe, net, options, side) for side in ("validation", "test"))
    test.methods.update(natural_scene(recipe, options))
    if options.hsfnet is not None:
        for side, rows in (("validation", validation), ("test", test)):
            rows.methods.update(from_hsfnet(options.hsfnet, side, rows))
    target = {
        side: quality_to_target(torch.from_numpy(rows.methods["miqanet"])).numpy()
        for side, rows in (("validation", validation), ("test", test))
    }
    wanted = {
        side: quality_to_target(torch.from_numpy(rows.truth)).numpy()
        for side, rows in (("validation", validation), ("test", test))
    }
    fit = fit_quality(target["validation"], wanted["validation"], validation.people)
    joint = None
    if options.hsfnet is not None:
        joint = join(validation, test, {side: _line(fit, said) for side, said in target.items()})
    scores = measure(test)
    scores["the interval"] = {
        "90 % interval covers": _covered(fit, target["test"], wanted["test"], test.people)
    }
    if joint is not None:
        numbers, mixed = joint
        covered = _covered(numbers, mixed, wanted["test"], test.people)
        scores["the interval"]["90 % interval of the ensemble covers"] = covered
        _ensemble(numbers, recipe, options, scores).save(options.out / "ensemble.safetensors")
    card = _card(recipe, options, scores)
    made = replace(raw, calibration={"quality": fit}, card=card)
    made.save(options.out / "miqanet.safetensors", dtype=torch.float16)
    text = "\n\n".join(f"## {name}\n\n{_table(part)}" for name, part in scores.items())
    write_text(options.out / "scores.md", text + "\n")
    print(text)


def look(recipe: MiqanetRecipe, net: nn.Module, options: argparse.Namespace, side: str) -> Rows:
    """What the network says of all versions of a side; kept in a file."""
    file = options.out / f"said-{side}.safetensors"
    if not file.exists():
        truth, said = [], []
        for source, made in _versions(recipe, options, side):
            truth.append(truth_of(made))
            said.append(recipe.estimate(net, made))
            _say(f"{side}: {source.person} {source.path.name}")
        whole = {"truth": torch.cat(truth), "said": torch.cat(said)}
        write_bytes(file, safetensors.torch.save(whole))
    kept = {k: v.double().numpy() for k, v in safetensors.torch.load(file.read_bytes()).items()}
    names = [name for source in _scans(recipe, options, side) for name in _names(source)]
    return Rows(tuple(names), kept["truth"], {"miqanet": kept["said"]})


def natural_scene(recipe: MiqanetRecipe, options: argparse.Namespace) -> Method:
    """BRISQUE and NIQE of every version of test scans, mean over slices; kept in a file."""
    file = options.out / "natural-scene.safetensors"
    if not file.exists():
        metrics = {"brisque": brisque, "niqe": niqe}
        found: dict[str, list[Tensor]] = {name: [] for name in metrics}
        for source, made in _versions(recipe, options, "test"):
            for name, metric in metrics.items():
                found[name].append(_mean_of(metric, made))
            _say(f"natural scene: {source.person} {source.path.name}")
        whole = {name: torch.cat(parts) for name, parts in found.items()}
        write_bytes(file, safetensors.torch.save(whole))
    return {k: v.numpy() for k, v in safetensors.torch.load(file.read_bytes()).items()}


def _versions(
    recipe: MiqanetRecipe, options: argparse.Namespace, side: str
) -> Iterator[tuple[Source, VersionSlices]]:
    for source in _scans(recipe, options, side):
        yield source, recipe.versions(source, options.out / "scratch" / "versions")


def _scans(recipe: MiqanetRecipe, options: argparse.Namespace, side: str) -> list[Source]:
    members = recipe.split(options.data)[side]
    return [source for source in sources(options.data) if source.person in members]


def _names(source: Source) -> Iterator[str]:
    for version in VERSIONS:
        parts = (source.person, source.path.name, source.kind, 0, "physical", *version)
        yield "|".join(map(str, parts))


def _mean_of(metric: Callable[..., Tensor], made: VersionSlices) -> Tensor:
    """(V,) higher is better."""
    values = []
    for slices, shown in zip(made.slices.float(), made.shown, strict=True):
        image = slices[shown][:, None]
        mask = image > TISSUE
        large = mask.flatten(1).float().mean(1) > 0.1
        values.append(-metric(image[large], data_range=1.0, mask=mask[large]).nanmean())
    return torch.stack(values).double()


def from_hsfnet(folder: Path, side: str, wanted: Rows) -> Method:
    """HSFNet's quality of the same versions, and straight lines on simple numbers."""
    known = load(folder / "predictions-known.safetensors")
    rows = load(folder / f"predictions-{side}.safetensors")
    checkpoint = Checkpoint.load(folder / "hsfnet.safetensors")
    fitted = {name: checkpoint.fitted(name) for name in FITTED}
    trees = shading_trees(checkpoint)
    judged = quality_of(
        replace(rows, outputs=with_trees(rows.outputs, rows.shading, trees)), fitted
    )
    line = fit_values(known.simple, quality_to_target(known.quality))(rows.simple)[:, 0].numpy()
    at = {name: i for i, name in enumerate(rows.names)}
    order = np.array([at[name] for name in wanted.names])
    single = _single_number(known.simple, known.quality.numpy())
    return {
        "hsfnet": judged[order],
        "straight lines on 24 simple numbers": line[order],
        "best single simple number": single(rows.simple)[order],
    }


def _single_number(simple: Tensor, truth: np.ndarray) -> Callable[[Tensor], np.ndarray]:
    """The one number that goes best with the quality of training people, with its sign."""
    agreement = [srocc(column, truth) for column in simple.T.double().numpy()]
    best = int(np.nanargmax(np.abs(agreement)))
    sign = np.sign(agreement[best])
    return lambda rows: np.asarray(sign * rows[:, best].double().numpy())


def join(
    validation: Rows, test: Rows, said: Mapping[str, np.ndarray]
) -> tuple[dict[str, Any], np.ndarray]:
    """The weighted mean of HSFNet's and MIQANet's quality that errs least on validation people.

    Adds the method ``ensemble`` to the test side.

    Args:
        validation: With the method ``hsfnet``.
        test: With the method ``hsfnet``.
        said: MIQANet's calibrated quality by side, on the scale that is learned.

    Returns:
        What the ensemble's calibration holds, and the weighted means of the test side.
    """
    first = {
        "validation": quality_to_target(torch.from_numpy(validation.methods["hsfnet"])).numpy(),
        "test": quality_to_target(torch.from_numpy(test.methods["hsfnet"])).numpy(),
    }
    wanted = quality_to_target(torch.from_numpy(validation.truth)).numpy()

    def mixed(side: str, weight: float) -> np.ndarray:
        return weight * first[side] + (1 - weight) * said[side]

    def error(weight: float) -> float:
        return float(np.abs(mixed("validation", weight) - wanted).mean())

    weight = float(min(np.linspace(0, 1, 21), key=error))
    fit = fit_quality(mixed("validation", weight), wanted, validation.people)
    quality = target_to_quality(torch.from_numpy(_line(fit, mixed("test", weight))))
    test.methods["ensemble"] = quality.numpy()
    return {**fit, "weight": weight}, mixed("test", weight)


def measure(rows: Rows) -> dict[str, dict[str, Any]]:
    """SROCC with the truth of every method, over all versions and within each artifact."""
    rng = np.random.default_rng
    groups = {"all versions": np.ones(len(rows.truth), bool)}
    groups |= {name: rows.artifact == name for name in TYPES}
    scores: dict[str, dict[str, Any]] = {}
    for group, keep in groups.items():
        people = [p for p, here in zip(rows.people, keep, strict=True) if here]
        truth = rows.truth[keep]
        for name, values in rows.methods.items():
            agreement = _agreement(values[keep], truth)
            interval = bootstrap_by_person(people, agreement, rng=rng(0), n_draws=500)
            scores.setdefault(f"SROCC, {group}", {})[name] = {
                "value": agreement(np.arange(len(truth))),
                "interval": list(interval),
                "n": len(truth),
            }
    others = {name: values for name, values in rows.methods.items() if name != "miqanet"}
    own = _agreement(rows.methods["miqanet"], rows.truth)
    for name, values in others.items():
        other = _agreement(values, rows.truth)
        apart = bootstrap_difference_by_person(rows.people, own, other, rng=rng(0), n_draws=500)
        scores.setdefault("SROCC of miqanet minus that of", {})[name] = {
            "value": apart.value,
            "interval": [apart.low, apart.high],
            "n": len(rows.truth),
        }
    return scores


def _agreement(values: np.ndarray, truth: np.ndarray) -> Callable[[np.ndarray], float]:
    return lambda i: srocc(values[i], truth[i])


def _covered(
    fit: Mapping[str, Any], said: np.ndarray, truth: np.ndarray, people: list[str]
) -> dict[str, Any]:
    predicted = _line(fit, said)
    bins = np.digitize(predicted, fit["edges"], right=True)
    covered = np.abs(predicted - truth) <= np.array(fit["half_widths"])[bins]
    interval = bootstrap_by_person(
        people, lambda i: float(covered[i].mean()), rng=np.random.default_rng(0), n_draws=500
    )
    return {"value": float(covered.mean()), "interval": list(interval), "n": len(covered)}


def _line(fit: Mapping[str, Any], said: np.ndarray) -> np.ndarray:
    calibrated: np.ndarray = fit["slope"] * said + fit["offset"]
    return calibrated


def _ensemble(
    numbers: dict[str, Any],
    recipe: MiqanetRecipe,
    options: argparse.Namespace,
    scores: dict[str, Any],
) -> Checkpoint:
    """What joins HSFNet and MIQANet: no weights, a few numbers."""
    card = _card(recipe, options, scores) | {
        "name": "ensemble",
        "task": "quality of head MR scans from two networks, and where models differ",
        "size": "no weights of its own",
    }
    return Checkpoint("ensemble", {}, {}, {}, numbers, card, {})


def _table(measured: Mapping[str, Any]) -> str:
    lines = ["| method | value | 95 % interval by person | rows |", "|---|---|---|---|"]
    for name, entry in measured.items():
        low, high = entry["interval"]
        lines.append(f"| {name} | {entry['value']:.3f} | {low:.3f} to {high:.3f} | {entry['n']} |")
    return "\n".join(lines)


def _card(
    recipe: MiqanetRecipe, options: argparse.Namespace, scores: dict[str, Any]
) -> dict[str, Any]:
    return {
        "name": "miqanet",
        "task": "quality of head MR scans and of their slices; research use only",
        "licence": "Apache-2.0",
        "data": sorted({source.origin for source in sources(options.data)}),
        "damage": "simulated: presets physical and hsfnet-2025, singly and in pairs",
        "quality": "SSIM against the undamaged scan inside the head, mean over slices",
        "size": "far smaller than published, from random weights: no photographs",
        "split": {side: list(people) for side, people in recipe.split(options.data).items()},
        "seed": recipe.seed,
        "simulated_scans": recipe.n_scans,
        "schedule": asdict(recipe.schedule),
        "commit": commit_of(Path(__file__).parent),
        "command": "python tools/train_miqanet.py --data DATA --out runs/miqanet",
        "torch": torch.__version__,
        "scores": scores,
    }


def _say(line: str) -> None:
    print(line, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hsfnet", type=Path, help="folder of tools/train_assessor.py")
    parser.add_argument("--workers", type=int, default=0, help="processes that simulate")
    parser.add_argument("--threads", type=int, default=1, help="threads of the network")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
