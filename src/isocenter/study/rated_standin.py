"""A stand-in for RAD-IQMRI: real slices, its four artifacts, and observers who do not exist.

RAD-IQMRI itself comes on a signed agreement.  The stand-in has its layout and its numbers, 8
references with 14 distorted images each, and opinions whose truth is known: quality is a rising
function of one measure, so a comparison must find that measure first.
"""

import csv
import inspect
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from isocenter import registry
from isocenter.artifacts import PRESETS, artifact, versions
from isocenter.data import atomic
from isocenter.data.random import child
from isocenter.data.step import Step
from isocenter.data.volume import Volume
from isocenter.datasets.rad_iqmri import RatedSet, read_grey, read_ratings
from isocenter.errors import UsageError
from isocenter.study.observers import Opinion, Panel, mean_opinion, simulate_ratings

__all__ = ["IMAGES", "RATINGS", "TRUTH", "fullest_slice", "make_standin"]

IMAGES, RATINGS, TRUTH = "images", "ratings.csv", "truth.json"
PRESET = "rad-iqmri"
STEEPNESS = 1.3
"""Of the logistic function from the standardised measure to quality."""
RULERS = (0.25, 0.5, 1.0, 2.0)
"""Noise put on the standardised measure, in its standard deviations: ever worse measures."""
WHITEST = 65535
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Version:
    """One distorted image that is to be made."""

    reference: str
    artifact: str
    level: int
    draw: int
    """Counts images of one reference, artifact and level, from 1."""

    @property
    def name(self) -> str:
        return f"{self.reference}_{self.artifact}_{self.level}_{self.draw}.png"


def make_standin(
    references: Mapping[str, Volume],
    out: Path | str,
    *,
    rng: torch.Generator,
    measure: str = "gmsd",
    levels: tuple[int, int] = (2, 4),
    n_distorted: int = 14,
    panel: Panel | None = None,
) -> RatedSet:
    """Write rated images whose true quality is known.

    Every reference gets the four artifacts of the preset ``rad-iqmri`` at two energies, and
    further draws of these until it has ``n_distorted`` images.  With m the measure of an image
    as written, turned so that higher is better and standardised over all images, its quality is
    100 / (1 + exp(-1.3 m)); :func:`isocenter.study.observers.simulate_ratings` says what is made
    of it.

    Args:
        references: Undistorted scans by name; of a 3-D scan, the slice with most signal counts.
        out: Folder for ``images/`` (16-bit PNG), ``ratings.csv`` and, written last,
            ``truth.json``: the measure and quality of every image, what was drawn for every
            observer, the history that rebuilds every image, and ``rulers``, values of the
            measure with ever more noise, which a comparison must rank in that order.
        rng: Source of every draw.
        measure: Full-reference metric that quality depends on; ``isocenter list metrics``.
        levels: Low and high energy, levels of the preset.
        n_distorted: Distorted images of every reference, at least 8.
        panel: Who looks; 13 observers, one of them careless, when not given.

    Raises:
        UsageError: A name that is no plain file name, fewer than 8 images of a reference, or a
            level that is not there.
        UnknownName: No such metric.
        ResourceError: The folder cannot be written to.
    """
    out, panel = Path(out), panel or Panel()
    scorer = _scorer(measure)
    plan = [v for name in references for v in _plan(name, levels, n_distorted, rng)]
    atomic.make_folder(out / IMAGES)
    histories: dict[str, Step] = {}
    for name, scan in references.items():
        mine = [version for version in plan if version.reference == name]
        histories |= _write_images(out / IMAGES, fullest_slice(scan), name, mine, rng)
    values = np.array([_score(scorer, out / IMAGES, version) for version in plan])
    merit = _standardised(values if scorer.BETTER == "higher" else -values)
    latent = 100 / (1 + np.exp(-STEEPNESS * merit))
    ratings, observers = simulate_ratings(latent, panel, rng=child(rng, "panel"))
    opinion = mean_opinion(ratings)
    _write_ratings(out / RATINGS, plan, opinion)
    truth = {
        "measure": measure,
        "quality": f"100 / (1 + exp(-{STEEPNESS} m)), m the standardised measure",
        "seed": rng.initial_seed(),
        "panel": asdict(panel),
        "observers": [
            drawn | {"counted": bool(counted)}
            for drawn, counted in zip(observers, opinion.counted, strict=True)
        ],
        "rulers": _rulers(merit, child(rng, "rulers")),
        "images": {
            version.name: {
                measure: float(value),
                "quality": float(quality),
                "seed": histories[version.name].seed,
                "params": dict(histories[version.name].params),
            }
            for version, value, quality in zip(plan, values, latent, strict=True)
        },
    }
    atomic.write_text(out / TRUTH, json.dumps(truth, indent=1, allow_nan=False) + "\n")
    return read_ratings(out / RATINGS, out / IMAGES)


def fullest_slice(scan: Volume) -> Volume:
    """The slice with most signal, across the axis of the thickest voxels; a slice is itself.

    Args:
        scan: Magnitude image; of axes equally thick the last one counts.
    """
    if 1 in scan.shape:
        return scan
    axis = max(range(3), key=lambda a: (round(scan.spacing[a], 3), a))
    across = [other for other in range(3) if other != axis]
    index = int(scan.data.abs().sum(dim=across).argmax())
    affine = scan.affine.copy()
    affine[:3, 3] += index * affine[:3, axis]
    step = Step("slice", {"axis": axis, "index": index}, None)
    data = scan.data.narrow(axis, index, 1).contiguous()
    return Volume(data, affine, scan.contrast, (*scan.history, step))


def _plan(
    reference: str, levels: tuple[int, int], n_distorted: int, rng: torch.Generator
) -> list[_Version]:
    """Every artifact at both energies, then the same in a drawn order, and again."""
    every = [(name, level) for name in PRESETS[PRESET] for level in levels]
    if not re.fullmatch(r"\w[\w-]*", reference):
        raise UsageError(f"reference {reference!r}: use letters, digits, _ and - for its name")
    known = {level for _, level in versions(PRESET)}
    if not set(levels) <= known or levels[0] >= levels[1]:
        raise UsageError(f"levels are {levels}: give a low and a higher one of {sorted(known)}")
    if n_distorted < len(every):
        raise UsageError(f"n_distorted is {n_distorted}: give {len(every)} or more")
    order, n_rounds = list(every), -(-n_distorted // len(every))
    for turn in range(1, n_rounds):
        drawn = torch.randperm(len(every), generator=child(rng, reference, "order", turn))
        order += [every[i] for i in drawn.tolist()]
    return [
        _Version(reference, name, level, 1 + order[:i].count((name, level)))
        for i, (name, level) in enumerate(order[:n_distorted])
    ]


def _write_images(
    folder: Path, scan: Volume, name: str, wanted: Sequence[_Version], rng: torch.Generator
) -> dict[str, Step]:
    """Write a reference and its versions on one scale; the step that made each version."""
    worse = {}
    for version in wanted:
        make = artifact(version.artifact, version.level, preset=PRESET)
        worse[version.name] = make(scan, rng=child(rng, version.name))
    brightest = max(float(each.data.max()) for each in (scan, *worse.values()))
    white = WHITEST / (brightest or 1.0)
    for file, each in {f"{name}.png": scan, **worse}.items():
        atomic.write_bytes(folder / file, _png(each, white))
    return {file: each.history[-1] for file, each in worse.items()}


def _png(scan: Volume, white: float) -> bytes:
    """16-bit grey picture of a slice: pixels as they are, head (or nose) up, left shown right."""
    axis = scan.shape.index(1)
    grey = (scan.data.select(axis, 0).double() * white).round().clamp(0, WHITEST).numpy()
    upright = grey.T[::-1, ::-1] if axis else grey.T[::-1]
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(upright, dtype=np.uint16)).save(buffer, format="PNG")
    return buffer.getvalue()


def _scorer(measure: str) -> Any:
    """The metric's module.

    Raises:
        UnknownName: No such metric.
        UsageError: It needs no reference.
    """
    module = registry.metrics.get(measure)
    if "reference" not in inspect.signature(getattr(module, measure)).parameters:
        raise UsageError(f"metric {measure!r} needs no reference: choose a full-reference metric")
    return module


def _score(module: Any, folder: Path, version: _Version) -> float:
    """The measure of a written image; the range is the reference's maximum."""
    image, reference = (
        read_grey(folder / file)[None, None].double()
        for file in (version.name, f"{version.reference}.png")
    )
    function = getattr(module, module.__name__.rpartition(".")[2])
    takes = inspect.signature(function).parameters
    scale = {"data_range": float(reference.max())} if "data_range" in takes else {}
    value: Tensor = function(image, reference, **scale)
    return float(value)


def _standardised(values: Array) -> Array:
    """
    Raises:
        UsageError: The measure is undefined or the same everywhere.
    """
    spread = float(values.std())
    if not np.isfinite(spread) or spread == 0:
        raise UsageError("the measure does not tell the images apart: choose another")
    return np.asarray((values - values.mean()) / spread)


def _rulers(merit: Array, rng: torch.Generator) -> dict[str, list[float]]:
    """The standardised measure with more and more noise, by the noise's standard deviation."""
    noise = torch.randn(len(RULERS), len(merit), dtype=torch.float64, generator=rng).numpy()
    noisy = {f"{s:g}": merit + s * row for s, row in zip(RULERS, noise, strict=True)}
    return {name: values.tolist() for name, values in ({"0": merit} | noisy).items()}


def _write_ratings(path: Path, plan: Sequence[_Version], opinion: Opinion) -> None:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("image", "reference", "mos", "deviation", "n_raters", "artifact", "energy"))
    n_raters, levels = int(opinion.counted.sum()), sorted({version.level for version in plan})
    for version, mos, deviation in zip(plan, opinion.mos, opinion.deviation, strict=True):
        energy = "low" if version.level == levels[0] else "high"
        numbers = (f"{mos:.4f}", f"{deviation:.4f}", n_raters)
        writer.writerow(
            (version.name, f"{version.reference}.png", *numbers, version.artifact, energy)
        )
    atomic.write_text(path, table.getvalue())
