"""Measure the prior that ships with the package, and write it with its card.

    isocenter train prior DATA --out RUN
    python tools/ship_prior.py --run RUN

The figures are those of the weights as they are stored, in half precision, on people of the
validation and of the test side.  The end is ``RUN/prior.safetensors`` (weights with their card)
and ``RUN/prior.md`` (tables).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from isocenter.data.atomic import write_text
from isocenter.data.checkpoint import Checkpoint
from isocenter.datasets.collection import sources
from isocenter.restorers._prior import load_prior
from isocenter.statistics import bootstrap_by_person
from isocenter.training.answers.denoising import LEVELS, decibels, under_levels
from isocenter.training.engine.run import Run
from isocenter.training.recipes.prior import PriorRecipe, denoised

COMMAND = "isocenter train prior DATA --out RUN; python tools/ship_prior.py --run RUN"
N_CROPS = 12
"""Of each person, under every level of noise."""
UNSEEN = (
    "measured phase and measured coil images: every phase is simulated",
    "anything but heads, contrast agent, implants, pathology but for MS lesions",
    "in learning, the two people with lesion masks: one is on the validation side, one is tested",
)


def main() -> None:
    options = _options()
    run = Run.load(options.run)
    recipe = run.recipe
    assert isinstance(recipe, PriorRecipe)
    trained = Checkpoint.load(run.model)
    rounded = run.folder / "rounded.safetensors"
    trained.save(rounded, dtype=torch.float16)
    net, split = load_prior(rounded).net, run.split()
    scores = {side: _scores(recipe, run, net, split[side]) for side in ("validation", "test")}
    shipped = run.folder / "prior.safetensors"
    card = _card(run, trained.card, scores) | {"note": options.note}
    replace(trained, card=card).save(shipped, dtype=torch.float16)
    write_text(run.folder / "prior.md", _table(scores))
    print(_table(scores))


def _scores(
    recipe: PriorRecipe, run: Run, net: nn.Module, people: Sequence[str]
) -> dict[str, dict[str, list[float]]]:
    """PSNR in dB by kind of person and level, of the noisy and of the denoised images.

    Each entry is the mean over people and its 95 % interval over people.
    """
    rows = [(person, *_decibels(recipe, run, net, person)) for person in people]
    kinds = {"all": rows}
    for row in rows:
        kinds.setdefault(row[0].split("/")[0], []).append(row)
    return {kind: _summary(some) for kind, some in kinds.items()}


def _decibels(
    recipe: PriorRecipe, run: Run, net: nn.Module, person: str
) -> tuple[list[float], list[float]]:
    """Of one person: noisy and denoised, mean over crops at each level."""
    file = run.scratch / f"asked-{person.replace('/', '-')}.safetensors"
    slices = recipe.slices(run.data, (person,), file)
    batches = under_levels(slices, N_CROPS, recipe.validation_side)
    noisy, said = [], []
    for level, batch in zip(LEVELS, batches, strict=True):
        images = batch.clean + level * batch.noise
        noisy.append(float(decibels(images, batch.clean).mean()))
        said.append(float(decibels(denoised(net, batch), batch.clean).mean()))
    print(person, [f"{value:.2f}" for value in said], flush=True)
    return noisy, said


def _summary(
    rows: Sequence[tuple[str, list[float], list[float]]],
) -> dict[str, list[float]]:
    people = [person for person, _, _ in rows]
    found: dict[str, list[float]] = {"people": [float(len(rows))]}
    for name, values in (("noisy", [r[1] for r in rows]), ("denoised", [r[2] for r in rows])):
        for level, column in zip(LEVELS, np.array(values).T, strict=True):
            mean = partial(_mean_at, column)
            ends = bootstrap_by_person(people, mean, rng=np.random.default_rng(0))
            found[f"{name} {level:g}"] = [round(v, 3) for v in (float(column.mean()), *ends)]
    return found


def _mean_at(column: npt.NDArray[np.float64], rows: npt.NDArray[np.intp]) -> float:
    return float(column[rows].mean())


def _card(run: Run, record: Any, scores: dict[str, Any]) -> dict[str, Any]:
    used = {person for people in record["split"].values() for person in people}
    found = [source for source in sources(run.data) if source.person in used]
    return {
        "name": "prior",
        "task": "prior of complex images of heads for reconstruction; research use only",
        "licence": "Apache-2.0",
        "data": sorted({source.origin for source in found}),
        "images": "magnitude slices of scans and painted label maps in three planes, with "
        "simulated smooth phase, shading, contrast curves and zoom; crops",
        "noise": "white, of standard deviation 0.003 to 3 in each part where the brightest half "
        "percent of an image is 0.9; of every second image sparing 8 to 32 central columns",
        "unseen": list(UNSEEN),
        "split": record["split"],
        "seed": run.recipe.seed,
        "schedule": asdict(run.recipe.schedule),
        "steps": record["steps"],
        "validation": record["validation"],
        "commit": record["commit"],
        "command": COMMAND,
        "torch": torch.__version__,
        "scores": scores,
    }


def _table(scores: dict[str, dict[str, dict[str, list[float]]]]) -> str:
    """Markdown: one line for each side and kind."""
    levels = [f"noise {level:g}" for level in LEVELS]
    lines = [f"| side | of | people | {' | '.join(levels)} |", "|" + "---|" * (3 + len(levels))]
    for side, kinds in scores.items():
        for kind, found in kinds.items():
            cells = [
                f"{found[f'noisy {level:g}'][0]:.1f} to {_interval(found[f'denoised {level:g}'])}"
                for level in LEVELS
            ]
            lines.append(f"| {side} | {kind} | {found['people'][0]:.0f} | {' | '.join(cells)} |")
    return "PSNR of the complex image, dB: noisy to denoised [95 % over people]\n\n" + (
        "\n".join(lines) + "\n"
    )


def _interval(value: Sequence[float]) -> str:
    mean, low, high = value
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of `isocenter train`")
    parser.add_argument("--note", default=None, help="what else the card must say of the run")
    return parser.parse_args()


if __name__ == "__main__":
    main()
