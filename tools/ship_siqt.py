"""Measure the network of thick slices that ships with the package, and write it with its card.

    isocenter train siqt DATA --out LOW --set band=low
    isocenter train siqt DATA --out HIGH --set band=high
    python tools/ship_siqt.py --low LOW --high HIGH --out OUT --calibration CALIBRATION

Each training keeps one core busy.  The figures are those of the weights as they are stored, in half
precision, on people of the validation and of the test side: slices of 0.75 of their distance with a
Gaussian profile, 2 % white noise, no change of contrast.  ``CALIBRATION`` is what
``tools/enhancement_benchmark.py`` fitted.  The end is ``OUT/siqt.safetensors`` (weights with their
card) and ``OUT/siqt.md`` (a table); ``OUT/rounded.safetensors``, the weights alone, is there at
once, for the benchmark.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from isocenter.data.atomic import write_text
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.io import read
from isocenter.datasets.collection import Source, sources
from isocenter.nets import banded_unet, slab_unet
from isocenter.ops.regions import head_scale
from isocenter.training.answers.thick_scoring import AIR, cubic, decibels, said_of, thick_case
from isocenter.training.engine._state import load_weights
from isocenter.training.engine.run import Run
from isocenter.training.recipes.siqt import SiqtRecipe

COMMAND = (
    "isocenter train siqt DATA --out LOW --set band=low; "
    "isocenter train siqt DATA --out HIGH --set band=high; "
    "python tools/ship_siqt.py --low LOW --high HIGH --out OUT"
)
RATIOS = (4, 8)
N_PEOPLE = 5
"""Skull-stripped T1-weighted brains of a side that are measured."""
LEVELS = (0.5, 0.8, 0.9, 0.95)
Errors = dict[int, list["npt.NDArray[np.float64]"]]
"""Of every person, absolute errors over deviations, by ratio."""
LARGEST = 6_000_000
"""Bytes."""
TOLERANCE = {"T1w": 1.5, "other": 0.25}
"""Deviations of the noise by which a scan of a contrast may contradict what was measured.  The
network knows T1w scans best; in others small lesions come back with the measured slices (chosen on
the validation people)."""
UNSEEN = (
    "measured pairs of low and high field: every low-field scan is simulated",
    "T2w and FLAIR but for three people with MS and painted or recontrasted scans; measured on one "
    "person more of each side",
    "a change of contrast from low to high field: the contrast of the scan is kept",
    "anything but heads, contrast agent, implants, pathology but for MS and synthetic lesions",
    "motion, ghosts, distortion, noise of other than 0.5 to 4 % of the brightness",
    "the two people with lesion masks: one is on the validation side, one is tested",
)


def main() -> None:
    options = _options()
    runs = {"low": Run.load(options.low), "high": Run.load(options.high)}
    trained = {band: _trained(run, band) for band, run in runs.items()}
    config = _recipe(runs["low"], "low").config
    both = _joined(trained, config)
    net = _rounded(both, config, options.out / "rounded.safetensors")
    people, seed = runs["low"].split(), runs["low"].recipe.seed
    assert people == runs["high"].split()
    ratios_of: Errors = {}
    scores = {}
    for side, errors in (("validation", ratios_of), ("test", {})):
        chosen = [
            one for one in sources(runs["low"].data) if one.person in people[side] and _counts(one)
        ]
        scores[side] = _scores(net, chosen[:N_PEOPLE], options.thin, errors, seed=seed)
    calibration = dict(both.calibration) | (
        json.loads(options.calibration.read_text()) if options.calibration else _fitted(ratios_of)
    )
    slices = "all" if options.thin is None else f"the middle {options.thin}"
    card = _card(runs, {band: one.card for band, one in trained.items()}, scores) | {
        "note": options.note,
        "scored": f"{slices} thin slices of {N_PEOPLE} brains a side, 0.75 thickness, 2 % "
        "noise; the network alone, nothing given back",
    }
    shipped = options.out / "siqt.safetensors"
    replace(both, card=card, calibration=calibration).save(shipped, dtype=torch.float16)
    assert shipped.stat().st_size <= LARGEST
    write_text(options.out / "siqt.md", _table(scores))
    print(_table(scores))


def _trained(run: Run, band: str) -> Checkpoint:
    """The finished network of a band, or the best so far of a training that was stopped."""
    recipe = _recipe(run, band)
    if run.model.exists():
        return Checkpoint.load(run.model)
    net = slab_unet.build(recipe.config)
    net.load_state_dict(load_weights(run.folder / "best.safetensors"))
    split = {side: list(people) for side, people in run.split().items()}
    return recipe.checkpoint(net, {**run.record(), "split": split, "steps": None})


def _recipe(run: Run, band: str) -> SiqtRecipe:
    recipe = run.recipe
    assert isinstance(recipe, SiqtRecipe)
    assert (recipe.band, recipe.net) == (band, "slab_unet")
    return recipe


def _joined(trained: Mapping[str, Checkpoint], config: slab_unet.Config) -> Checkpoint:
    """Both bands in one network."""
    parts = {band: slab_unet.build(config) for band in trained}
    for band, part in parts.items():
        trained[band].load_into(part)
    ends = [trained[band].preprocess["ratios"] for band in ("low", "high")]
    return replace(
        trained["low"],
        net="banded_unet",
        preprocess={**trained["low"].preprocess, "ratios": [ends[0][0], ends[1][1]]},
        calibration={**trained["low"].calibration, "tolerance": TOLERANCE},
        tensors=banded_unet.BandedUNet(parts).state_dict(),
    )


def _rounded(both: Checkpoint, config: slab_unet.Config, file: Path) -> nn.Module:
    """With the weights as they will be stored."""
    file.parent.mkdir(parents=True, exist_ok=True)
    both.save(file, dtype=torch.float16)
    net = banded_unet.build(config).eval()
    Checkpoint.load(file).load_into(net)
    return net


def _scores(
    net: nn.Module, people: Sequence[Source], n_thin: int | None, errors: Errors, *, seed: int
) -> dict[str, list[float]]:
    """PSNR inside the brain in dB, by method and ratio, person by person; what errors are over
    deviations goes into ``errors``."""
    found: dict[str, list[float]] = {}
    for source in people:
        scan = read(source.path)
        values = (scan.data / head_scale(scan.data)).clamp_min(0)
        for ratio in RATIOS:
            case = thick_case(values, ratio, source.person, n_thin=n_thin, seed=seed)
            said, log_variance = said_of(net, case)
            for name, image in (("cubic", cubic(case)), ("siqt", said)):
                found.setdefault(f"{name} {ratio}", []).append(round(decibels(image, case), 3))
            over = (said - case.thin).abs() * (-0.5 * log_variance).exp()
            errors.setdefault(ratio, []).append(over[case.thin > AIR][::7].double().numpy())
        print(source.person, {name: values[-1] for name, values in found.items()}, flush=True)
    return found


def _fitted(errors: Errors) -> dict[str, Any]:
    """Factors of the deviation by ratio, and half widths of intervals by level.

    The factor of a ratio is the one of greatest likelihood; that of one between is interpolated,
    and of one below the smallest, its own.  The half width of a level is the quantile of the mean
    of all people's distributions.  Every person weighs the same.
    """
    known = sorted(errors)
    scales = [float(np.mean([np.mean(one**2) for one in errors[r]])) ** 0.5 for r in known]
    factors = {str(r): round(float(np.interp(r, known, scales)), 4) for r in range(2, 9)}
    grid = np.linspace(0, 8, 3201)
    curves = [
        np.searchsorted(np.sort(one / scale), grid) / len(one)
        for r, scale in zip(known, scales, strict=True)
        for one in errors[r]
    ]
    curve = np.mean(curves, axis=0)
    interval = {f"{level:g}": round(float(np.interp(level, curve, grid)), 4) for level in LEVELS}
    return {"deviation_scale": factors, "interval": interval}


def _counts(source: Source) -> bool:
    return source.path.parent.name == "brains"


def _card(
    runs: Mapping[str, Run], records: Mapping[str, Any], scores: dict[str, Any]
) -> dict[str, Any]:
    split, data = records["low"]["split"], runs["low"].data
    used = {person for people in split.values() for person in people}
    found = [source for source in sources(data) if source.person in used]
    recipes = {band: run.recipe for band, run in runs.items()}
    return {
        "name": "siqt",
        "task": "thin slices from thick ones, with their deviation; research use only",
        "licence": "Apache-2.0",
        "data": sorted({source.origin for source in found}),
        "images": "crops of skull-stripped T1w brains, of heads (T1w; T2w and FLAIR of three "
        "people with MS) and of painted label maps, some recontrasted, shaded or with synthetic "
        "lesions; made thick and noisy along any axis, most along the third",
        "draws": {band: asdict(recipe.draws) for band, recipe in recipes.items()},  # type: ignore[attr-defined]
        "unseen": list(UNSEEN),
        "split": split,
        "seed": recipes["low"].seed,
        "schedule": {band: asdict(recipe.schedule) for band, recipe in recipes.items()},
        "steps": {band: record["steps"] for band, record in records.items()},
        "validation": {band: record.get("validation") for band, record in records.items()},
        "commit": records["low"]["commit"],
        "command": COMMAND,
        "torch": torch.__version__,
        "scores": scores,
    }


def _table(scores: dict[str, dict[str, list[float]]]) -> str:
    """Markdown: one line for each side and ratio."""
    lines = ["| side | people | ratio | cubic | siqt | gain [each] |", "|---|---|---|---|---|---|"]
    for side, found in scores.items():
        for ratio in RATIOS:
            before, after = (np.array(found[f"{name} {ratio}"]) for name in ("cubic", "siqt"))
            each = ", ".join(f"{gain:+.2f}" for gain in after - before)
            lines.append(
                f"| {side} | {len(before)} | {ratio} | {before.mean():.2f} | {after.mean():.2f} | "
                f"{(after - before).mean():+.2f} [{each}] |"
            )
    return "PSNR inside the brain, dB; 1 = the brightness of the head\n\n" + (
        "\n".join(lines) + "\n"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--low", type=Path, required=True, help="training of band=low")
    parser.add_argument("--high", type=Path, required=True, help="training of band=high")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--calibration", type=Path, default=None, help="calibration.json")
    parser.add_argument("--thin", type=int, default=None, help="thin slices of a person; all")
    parser.add_argument("--note", default=None, help="what else the card must say of the run")
    return parser.parse_args()


if __name__ == "__main__":
    main()
