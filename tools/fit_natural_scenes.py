"""Fit, measure and pack the models of BRISQUE, NIQE and IL-NIQE that ship with the package.

    python tools/fit_natural_scenes.py --data DATA --out runs/natural-scenes

DATA holds the folders ``brains``, ``ms`` and ``dicom``; scikit-learn has to be installed.  OUT
gets ``slices`` (damaged slices with their truth, a file for each scan) and ``fitted`` (models
without a card), which are passed over when they are there, and in the end the three models with
their cards and ``scores.md``.  People stand on the sides that the shipped assessor's recipe deals
them to.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from sklearn.svm import SVR
from torch import Tensor

from isocenter.artifacts import PRESETS, artifact, versions
from isocenter.data.atomic import write_bytes, write_text
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.io import read
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume
from isocenter.datasets.collection import Source
from isocenter.metrics import brisque, il_niqe, niqe, piqe
from isocenter.metrics.ssim import ssim
from isocenter.ops.gradients import SCHARR, squared_gradient
from isocenter.ops.regions import head_mask, head_scale
from isocenter.ops.slabs import usable_axes
from isocenter.statistics import bootstrap_by_person, srocc
from isocenter.training.engine.commit import commit_of
from isocenter.training.inputs.examples import with_field_of_view
from isocenter.training.recipes.assessor import AssessorRecipe

RECIPE = AssessorRecipe()
SEED = 11
N_VERSIONS = 8
"""Damaged versions of each brain, of the 24 of the preset ``physical``."""
N_PLACES = 2
"""Slices of every version along every axis."""
N_PRISTINE = 16
"""Slices along every axis of every undistorted scan that NIQE and IL-NIQE learn from."""
SMALLEST = 64
"""Sides of the head's box in a slice, pixels, below which it is left out."""
FLOOR = 0.002
"""1 - SSIM below which two qualities count as equal."""
START, FACTORS = {"C": 16.0, "gamma": 0.01}, {"C": 4.0, "gamma": 2.0}
"""Constants of the regression from which better ones are looked for, and one step of each."""
GAIN = 0.001
"""Of Spearman's correlation, below which a step is not worth it."""
N_FOLDS = 3
TOLERANCE = 0.35
"""Of the regression, in logits: fewer support vectors, a smaller file."""
BASELINES = ("noise estimate", "gradient energy", "mean")


@dataclass(frozen=True)
class Row:
    """One damaged slice, cropped to the head's box in units of the head's brightness."""

    person: str
    name: str
    """Artifact, or ``pristine``."""
    level: int
    image: Tensor
    """(h, w), 1 at the head's 99th percentile."""
    truth: float
    """100 (1 - SSIM) inside the undamaged head."""


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    with ProcessPoolExecutor(
        options.workers, initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        for side in ("train", "test"):
            made = pool.map(partial(damage, side, options), _brains(side, options))
            print(f"{side}: {sum(made)} damaged slices", flush=True)
    fit(options)
    finish(options)


# From scans to slices.


def damage(side: str, options: argparse.Namespace, source: Source) -> int:
    """Leave a file of damaged slices of a scan; how many it holds."""
    file = _slices_file(side, source, options)
    if not file.exists():
        rows = damaged_slices(source, N_VERSIONS)
        tensors = {
            f"{i:04d}|{row.person}|{row.name}|{row.level}|{row.truth:.6f}": row.image
            for i, row in enumerate(rows)
        }
        write_bytes(file, safetensors.torch.save(tensors))
    return len(_rows_of(file))


def damaged_slices(source: Source, n_versions: int) -> Iterator[Row]:
    """Slices of an undistorted scan and of its damaged versions."""
    rng = child(generator(SEED), source.person, source.contrast or "")
    clean = _load(source, rng)
    every = versions("physical")
    drawn = torch.randperm(len(every), generator=child(rng, "versions"))[:n_versions].tolist()
    yield from _rows(source.person, "pristine", 0, clean, clean, child(rng, "pristine"))
    for name, level in sorted(every[i] for i in drawn):
        stream = child(rng, name, level)
        worse = artifact(name, level)(clean, rng=stream)
        yield from _rows(source.person, name, level, clean, worse, child(stream, "places"))


def _rows(
    person: str, name: str, level: int, clean: Volume, worse: Volume, rng: torch.Generator
) -> Iterator[Row]:
    mask, scale = head_mask(clean.data), head_scale(clean.data)
    seen = head_mask(worse.data)
    brightness = head_scale(worse.data, seen)
    for axis in usable_axes(clean.spacing, clean.shape, RECIPE.preprocess):
        inside = mask.movedim(axis, 0).flatten(1).any(1).nonzero()
        first, last = int(inside[0]), int(inside[-1])
        for share in (0.25 + 0.5 * torch.rand(N_PLACES, generator=rng)).tolist():
            at = round(first + share * (last - first))
            image, truth = (scan.data.select(axis, at)[None, None] for scan in (worse, clean))
            box = _box(seen.select(axis, at))
            if box is not None:
                kept = mask.select(axis, at)
                quality = ssim(image / scale, truth / scale, data_range=1.0, mask=kept)
                cropped = (image[0, 0][box] / brightness).contiguous()
                yield Row(person, name, level, cropped, 100 * (1 - float(quality)))


def pristine_slices(source: Source) -> Iterator[Tensor]:
    """Slices (1, 1, h, w) of an undistorted scan, as ``_rows`` cuts them."""
    scan = _load(source, child(generator(SEED), source.person, source.contrast or ""))
    mask, scale = head_mask(scan.data), head_scale(scan.data)
    for axis in usable_axes(scan.spacing, scan.shape, RECIPE.preprocess):
        inside = mask.movedim(axis, 0).flatten(1).any(1).nonzero()
        first, last = int(inside[0]), int(inside[-1])
        for at in np.linspace(0.75 * first + 0.25 * last, 0.25 * first + 0.75 * last, N_PRISTINE):
            box = _box(mask.select(axis, round(at)))
            if box is not None:
                yield scan.data.select(axis, round(at))[box][None, None] / scale


def _box(mask: Tensor) -> tuple[slice, slice] | None:
    rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
    if min(len(rows), len(columns)) == 0:
        return None
    down, across = (slice(int(ends[0]), int(ends[-1]) + 1) for ends in (rows, columns))
    sides = (down.stop - down.start, across.stop - across.start)
    return (down, across) if min(sides) >= SMALLEST else None


def _load(source: Source, rng: torch.Generator) -> Volume:
    scan = replace(read(source.path), history=())
    scan = replace(scan, data=scan.data.clamp_min(0))
    if source.kind == "brain":
        scan = with_field_of_view(scan, rng=child(rng, "field of view"))
    return scan


def _scans(side: str, options: argparse.Namespace) -> list[Source]:
    return [source for source in RECIPE.side(options.data, side) if source.kind != "labels"]


def _brains(side: str, options: argparse.Namespace) -> list[Source]:
    """The scans that are damaged: of one origin, and fast to simulate on."""
    return [source for source in _scans(side, options) if source.person.startswith("brains/")]


def _slices_file(side: str, source: Source, options: argparse.Namespace) -> Path:
    name = f"{side}-{source.person}-{source.contrast}".replace("/", "-")
    return Path(options.out / "slices" / f"{name}.safetensors")


def load_rows(side: str, options: argparse.Namespace) -> list[Row]:
    """Every damaged slice of a side."""
    files = [_slices_file(side, source, options) for source in _brains(side, options)]
    return [row for file in files for row in _rows_of(file)]


def _rows_of(file: Path) -> list[Row]:
    rows = []
    for key, image in sorted(safetensors.torch.load(file.read_bytes()).items()):
        _, person, name, level, truth = key.split("|")
        rows.append(Row(person, name, int(level), image, float(truth)))
    return rows


# From slices to models.


def fit(options: argparse.Namespace) -> None:
    """Leave the three models, without a card, in ``OUT/fitted``."""
    folder = options.out / "fitted"
    learners = {"niqe": niqe.fit, "il_niqe": il_niqe.fit}
    missing = [name for name in learners if not (folder / f"{name}.safetensors").exists()]
    scans = _scans("train", options) if missing else []
    found = [image for source in scans for image in pristine_slices(source)]
    for name in missing:
        learners[name](found, data_range=1.0).save(folder / f"{name}.safetensors")
        print(f"{name}: fitted to {len(found)} undistorted slices", flush=True)
    if not (folder / "brisque.safetensors").exists():
        fit_brisque(load_rows("train", options)).save(folder / "brisque.safetensors")


def fit_brisque(rows: list[Row]) -> Checkpoint:
    """Support-vector regression, its constants by leaving people out in turn."""
    inputs, targets = _scene_features(rows), _logits(rows)
    mean, scale = inputs.mean(0), inputs.std(0)
    inputs = (inputs - mean) / scale
    constants, left_out = climb(lambda tried: _left_out(rows, inputs, targets, tried))
    best = SVR(epsilon=TOLERANCE, **constants).fit(inputs, targets)
    print(f"brisque: {best}, {len(best.support_)} of {len(rows)} support vectors", flush=True)
    tensors = {
        "mean": mean,
        "scale": scale,
        "support": best.support_vectors_,
        "weight": best.dual_coef_[0],
        "offset": best.intercept_[0],
        "gamma": best.gamma,
    }
    return Checkpoint(
        net="brisque",
        config={"C": best.C, "gamma": best.gamma, "epsilon": TOLERANCE, "target": "logit"},
        preprocess={},
        outputs={"brisque": {"better": "lower", "range": [0.0, 100.0], "of": "100 (1 - SSIM)"}},
        calibration={"SROCC of training people left out": left_out},
        card={},
        tensors={
            f"fitted.{name}": torch.as_tensor(values, dtype=torch.float32)
            for name, values in tensors.items()
        },
    )


def climb(rank: Callable[[dict[str, float]], float]) -> tuple[dict[str, float], float]:
    """Constants whose neighbours on a logarithmic grid are hardly better, and their rank."""
    ranks: dict[tuple[int, ...], float] = {}
    best: tuple[int, ...] = (0,) * len(START)
    while True:
        for step in itertools.product((-1, 0, 1), repeat=len(best)):
            place = tuple(at + by for at, by in zip(best, step, strict=True))
            if place not in ranks:
                ranks[place] = rank(_constants(place))
        ahead = max(ranks, key=lambda place: ranks[place])
        if ranks[ahead] < ranks[best] + GAIN:
            return _constants(best), ranks[best]
        best = ahead


def _constants(place: tuple[int, ...]) -> dict[str, float]:
    return {
        name: START[name] * FACTORS[name] ** steps for name, steps in zip(START, place, strict=True)
    }


def _left_out(
    rows: list[Row], inputs: np.ndarray, targets: np.ndarray, constants: dict[str, float]
) -> float:
    """Spearman's correlation when every person is predicted from people of other folds."""
    people = np.unique([row.person for row in rows], return_inverse=True)[1]
    guess = np.empty(len(rows))
    for fold in range(N_FOLDS):
        out = people % N_FOLDS == fold
        line = SVR(epsilon=TOLERANCE, **constants).fit(inputs[~out], targets[~out])
        guess[out] = line.predict(inputs[out])
    return srocc(guess, targets)


def _scene_features(rows: list[Row]) -> np.ndarray:
    found = [brisque.scene_features(255 * row.image.double()[None, None]) for row in rows]
    return torch.cat(found).numpy()


def _logits(rows: list[Row]) -> np.ndarray:
    share = np.clip(np.array([row.truth for row in rows]) / 100, FLOOR, 1 - FLOOR)
    return np.log(share / (1 - share))


# From models to scores.


def finish(options: argparse.Namespace) -> None:
    """Measure on test people; write the models with their cards, and a table."""
    rows = load_rows("test", options)
    folder = options.out / "fitted"
    truth = np.array([row.truth for row in rows])
    measured = {}
    for name, score in _methods(folder).items():
        values = np.array([float(score(row.image[None, None])) for row in rows])
        missing = np.isnan(values).sum()
        print(f"{name}: {missing} of {len(values)} slices without a score", flush=True)
        measured[name] = _agreement(rows, values, truth)
    for name in ("brisque", "niqe", "il_niqe"):
        model = Checkpoint.load(folder / f"{name}.safetensors")
        card = _card(name, rows, {k: measured[k] for k in (name, *BASELINES)}, options)
        replace(model, card=card).save(options.out / f"{name}.safetensors")
    text = table(measured)
    write_text(options.out / "scores.md", text + "\n")
    print(text)


def _methods(folder: Path) -> dict[str, Callable[[Tensor], Tensor]]:
    return {
        "brisque": lambda x: brisque.brisque(
            x, data_range=1.0, model=folder / "brisque.safetensors"
        ),
        "niqe": lambda x: niqe.niqe(x, data_range=1.0, model=folder / "niqe.safetensors"),
        "il_niqe": lambda x: il_niqe.il_niqe(
            x, data_range=1.0, model=folder / "il_niqe.safetensors"
        ),
        "piqe": lambda x: piqe.piqe(x, data_range=1.0),
        "noise estimate": noise_estimate,
        "gradient energy": lambda x: squared_gradient(x, SCHARR).mean((1, 2, 3)),
        "mean": lambda x: x.mean((1, 2, 3)),
    }


def noise_estimate(image: Tensor) -> Tensor:
    """Standard deviation of noise; Immerkaer, doi:10.1006/cviu.1996.0060."""
    line = torch.tensor([1.0, -2.0, 1.0])
    rough = torch.nn.functional.conv2d(image, torch.outer(line, line)[None, None])
    return math.sqrt(math.pi / 2) / 6 * rough.abs().mean((1, 2, 3))


def _agreement(rows: list[Row], values: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Spearman's correlation with 100 (1 - SSIM), over all slices and by artifact."""
    names = np.array([row.name for row in rows])
    finite = np.isfinite(values)
    found = {"all": _correlation(rows, values, truth, finite)}
    for name in PRESETS["physical"]:
        keep = finite & np.isin(names, [name, "pristine"])
        found[name] = _correlation(rows, values, truth, keep)
    return found


def _correlation(
    rows: list[Row], values: np.ndarray, truth: np.ndarray, keep: np.ndarray
) -> dict[str, Any]:
    people = [row.person for row, kept in zip(rows, keep, strict=True) if kept]
    x, y = values[keep], truth[keep]
    interval = bootstrap_by_person(
        people, lambda i: srocc(x[i], y[i]), rng=np.random.default_rng(0), n_draws=500
    )
    return {"value": srocc(x, y), "interval": list(interval), "n": int(keep.sum())}


def table(measured: dict[str, dict[str, Any]]) -> str:
    """Spearman's correlations with their 95 % intervals by person, as markdown."""
    columns = next(iter(measured.values()))
    lines = [f"| metric | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, found in measured.items():
        cells = (f"{e['value']:.2f} ({e['interval'][0]:.2f}, {e['interval'][1]:.2f})"
                 for e in found.values())  # fmt: skip
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _card(
    name: str, rows: list[Row], scores: dict[str, Any], options: argparse.Namespace
) -> dict[str, Any]:
    learned = _brains if name == "brisque" else _scans
    sides = {"train": learned("train", options), "test": _brains("test", options)}
    split = {side: sorted({source.person for source in used}) for side, used in sides.items()}
    return {
        "name": name,
        "task": "no-reference quality of head MR slices; research use only",
        "licence": "Apache-2.0",
        "data": sorted({source.origin for used in sides.values() for source in used}),
        "damage": f"simulated: {N_VERSIONS} of the 24 versions of the preset physical, and none",
        "quality": "100 (1 - SSIM) against the undamaged slice inside the head",
        "slices": "box of the head in slices of three planes; 255 at the head's 99th percentile",
        "split": split,
        "seed": SEED,
        "commit": options.commit,
        "command": "python tools/fit_natural_scenes.py --data DATA --out runs/natural-scenes",
        "torch": torch.__version__,
        "scores": {
            "measure": "Spearman's correlation over test people, 95 % intervals by person",
            "slices": len(rows),
            **scores,
        },
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2, help="processes that simulate")
    options = parser.parse_args()
    # Before the work starts: what is committed meanwhile took no part.
    options.commit = commit_of(Path(__file__).parent)
    for folder in ("slices", "fitted"):
        (options.out / folder).mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    main()
