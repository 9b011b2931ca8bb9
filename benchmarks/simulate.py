"""What the whole distortion benchmark costs: 7,122 images in 20 versions each, three ways.

    python benchmarks/simulate.py [--only OASIS_T1w,IXI_T1w] [--out OUT]

As published: TorchIO, and each version as a float32 ``.npy``.  Written: ``isocenter simulate``,
with its records.  On the fly: each scan read once, its versions drawn and thrown away.

One synthetic head of every shape, in turn and with the same drawn parameters: of two shapes all
20 versions of the preset ``hsfnet-2025`` once, of the others levels 1 and 3 of every artifact;
what all four levels of an artifact would take there is its sampled levels' cost times how much
more all four take than these two in the first shape.  The figures are CPU time of one thread, so
that a busy machine counts little; hours are for two such processes on 2 cores, and do not hold
the time that a disk takes.  All images of a sub-dataset count as that one head.  Every measured
version is kept in OUT, so a stopped call goes on with the same command.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from artifacts import made_head, torchio_transform

from isocenter.artifacts import Version, benchmark_versions
from isocenter.data.io import read, write
from isocenter.data.volume import Volume
from isocenter.datasets.scan import Scan
from isocenter.study._benchmark_images import Batch, draw, write_image
from isocenter.study._benchmark_plan import Unit

Result = TypeVar("Result")

PRESET = "hsfnet-2025"
N_CORES = 2
GOAL = 5.0
SMALL = (24, 24, 24)
SETS = {
    "OASIS_T1w": ((256, 256, 128), 1688),
    "NFBS_T1w": ((193, 229, 193), 125),
    "IXI_T1w": ((256, 256, 130), 581),
    "IXI_T2w": ((256, 256, 120), 578),
    "QTAB_T1w": ((176, 300, 320), 1441),
    "QTAB_T2w": ((768, 768, 50), 1821),
    "ARC_T1w": ((160, 256, 256), 447),
    "ARC_T2w": ((160, 256, 256), 441),
}
"""Shape and number of images of each sub-dataset."""
WHOLE = ("IXI_T2w", "NFBS_T1w")
"""Sub-datasets of which every version is measured; the first tells what levels cost."""
SAMPLED = (1, 3)
"""Levels that are measured of the others."""


@dataclass(frozen=True)
class Cost:
    """Of some versions of one image: CPU seconds and bytes."""

    published: float = 0.0
    published_bytes: float = 0.0
    written: float = 0.0
    written_bytes: float = 0.0
    on_the_fly: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return self._each(other, lambda mine, its: mine + its)

    def __mul__(self, other: Cost) -> Cost:
        return self._each(other, lambda mine, its: mine * its)

    def __truediv__(self, other: Cost) -> Cost:
        return self._each(other, lambda mine, its: mine / its)

    def _each(self, other: Cost, operation: Callable[[float, float], float]) -> Cost:
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Cost(*(operation(mine, its) for mine, its in pairs))


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    names = options.only.split(",")
    versions = benchmark_versions(PRESET)[:-1]
    with tempfile.TemporaryDirectory() as folder:
        measure = partial(_measured, out=options.out, folder=Path(folder))
        every = {version: measure(WHOLE[0], version) for version in versions}
        print(
            "| scans | shape | versions measured | number | TorchIO s | written s | on the fly s | "
            "ratio written | ratio on the fly | npy GB | nii.gz GB |\n" + "|-" * 11 + "|"
        )
        costs = []
        for name in names:
            chosen = versions if name in WHOLE else [v for v in versions if v.level in SAMPLED]
            found = {version: measure(name, version) for version in chosen}
            costs.append((SETS[name][1], _all_levels(found, every) + measure(name, None)))
            _print_row(name, len(chosen), *costs[-1])
    _print_total(costs, len(versions))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default=",".join(SETS))
    parser.add_argument("--out", type=Path, default=Path("runs/simulate-cost"))
    return parser.parse_args()


def _all_levels(found: dict[Version, Cost], every: dict[Version, Cost]) -> Cost:
    """What all versions would take, artifact by artifact."""
    total = Cost()
    for artifact in dict.fromkeys(version.artifact for version in every):
        of_all = [cost for version, cost in every.items() if version.artifact == artifact]
        mine = [version for version in found if version.artifact == artifact]
        share = sum((every[version] for version in mine), Cost()) / sum(of_all, Cost())
        total += sum((found[version] for version in mine), Cost()) / share
    return total


def _measured(name: str, version: Version | None, *, out: Path, folder: Path) -> Cost:
    """One version of a head of this shape, or (for ``None``) reading it; kept in ``out``.

    Sub-datasets of one shape share what is measured.
    """
    shape = SETS[name][0]
    what = "read" if version is None else f"{version.artifact}_{version.level}"
    kept = out / f"{'x'.join(map(str, shape))}-{what}.json"
    if not kept.exists():
        _cost(SMALL, version, folder)  # compiles, and settles threads and pages
        kept.write_text(json.dumps(asdict(_cost(shape, version, folder))) + "\n")
        print(f"{kept.stem} measured", file=sys.stderr, flush=True)
    return Cost(**json.loads(kept.read_text()))


def _cost(shape: tuple[int, int, int], version: Version | None, folder: Path) -> Cost:
    file, clean, reading = _head(shape, folder)
    if version is None:
        return Cost(written=reading, on_the_fly=reading)
    scan = Scan("sub-01", file, "T1w", None, "plain")
    batch = Batch((), 7, folder / "bench", "auto")
    unit = Unit(scan, file.name, version, f"{version.artifact}_{version.level}.nii.gz")
    made, drawing = _timed(lambda: draw(clean, unit, batch.seed))
    _, writing = _timed(lambda: write_image(made, unit, batch))
    plain = folder / "version.npy"
    _, published = _timed(_as_published(clean, version, made, plain))
    n_bytes = sum((batch.out / path).stat().st_size for path in (unit.file, unit.record))
    return Cost(published, plain.stat().st_size, drawing + writing, n_bytes, drawing)


@lru_cache(maxsize=2)
def _head(shape: tuple[int, int, int], folder: Path) -> tuple[Path, Volume, float]:
    """File of a made head, the head, and CPU seconds of reading it."""
    name = "x".join(map(str, shape))
    file = write(made_head(shape), folder / f"sub-01_{name}_T1w.nii.gz", dtype="int16")
    return file, *_timed(lambda: read(file))


def _as_published(clean: Volume, version: Version, made: Volume, to: Path) -> Callable[[], None]:
    params = dict(made.history[-1].params)
    transform = torchio_transform(version.artifact, params, clean.shape)
    return lambda: np.save(to, transform(clean.data[None])[0].numpy())


def _timed(call: Callable[[], Result]) -> tuple[Result, float]:
    """What a call gives, and the CPU seconds of this process."""
    start = time.process_time()
    result = call()
    return result, time.process_time() - start


def _print_row(name: str, n_measured: int, number: int, cost: Cost) -> None:
    size = " x ".join(map(str, SETS[name][0]))
    print(
        f"| {name} | {size} | {n_measured} | {number:,} | {cost.published:.1f} | "
        f"{cost.written:.1f} | {cost.on_the_fly:.1f} | {cost.published / cost.written:.1f} | "
        f"{cost.published / cost.on_the_fly:.1f} | {cost.published_bytes / 1e9:.2f} | "
        f"{cost.written_bytes / 1e9:.2f} |",
        flush=True,
    )


def _print_total(costs: list[tuple[int, Cost]], n_versions: int) -> None:
    n_images = sum(number for number, _ in costs)
    print(
        f"\n{n_images:,} images x {n_versions} versions = {n_images * n_versions:,}, extrapolated"
    )
    print(f"\n| way | hours on {N_CORES} cores | terabytes | times faster | goal |\n|-|-|-|-|-|")
    published = sum(number * cost.published for number, cost in costs)
    rows = (
        ("TorchIO, float32 npy", published, sum(n * c.published_bytes for n, c in costs), ""),
        ("written", sum(n * c.written for n, c in costs),
         sum(n * c.written_bytes for n, c in costs), ""),
        ("on the fly", sum(n * c.on_the_fly for n, c in costs), 0, GOAL),
    )  # fmt: skip
    for way, seconds, n_bytes, goal in rows:
        hours = seconds / N_CORES / 3600
        print(
            f"| {way} | {hours:.1f} | {n_bytes / 1e12:.2f} | {published / seconds:.1f} | {goal} |"
        )


if __name__ == "__main__":
    main()
