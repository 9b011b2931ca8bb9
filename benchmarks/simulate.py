"""What the whole distortion benchmark costs: 7,122 images in 20 versions each, three ways.

    python benchmarks/simulate.py [--only OASIS_T1w,IXI_T1w]

As published: TorchIO, and each version as a float32 ``.npy``.  Written: ``isocenter simulate``,
with its records.  On the fly: each scan read once, its versions drawn and thrown away.

One synthetic head of each class of shapes, with all 20 versions of the preset ``hsfnet-2025``
once, in turn and with the same drawn parameters.  Shapes of one class (sides whose factors are
small, or not) are scaled by their number of voxels.  The figures are CPU time
of one thread, so that a busy machine counts little; hours are for two such processes on 2 cores,
and do not hold the time that a disk takes.  All images of a sub-dataset count as that one head.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from artifacts import made_head, torchio_transform

from isocenter.artifacts import Version, benchmark_versions
from isocenter.data.io import read, write
from isocenter.data.volume import Volume
from isocenter.datasets.scan import Scan
from isocenter.study._benchmark_images import Batch, draw, write_image
from isocenter.study._benchmark_plan import Unit

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
CLASSES = dict.fromkeys(
    ("OASIS_T1w", "IXI_T1w", "QTAB_T1w", "QTAB_T2w", "ARC_T1w", "ARC_T2w"), "IXI_T2w"
)
"""Sub-datasets that are scaled from another one."""


@dataclass(frozen=True)
class Cost:
    """Of all versions of one image: CPU seconds and bytes."""

    published: float
    published_bytes: int
    written: float
    written_bytes: int
    on_the_fly: float

    def scaled(self, factor: float) -> Cost:
        """Of an image with ``factor`` times as many voxels."""
        return Cost(
            self.published * factor,
            round(self.published_bytes * factor),
            self.written * factor,
            round(self.written_bytes * factor),
            self.on_the_fly * factor,
        )


def main() -> None:
    names = _names()
    torch.set_num_threads(1)
    versions = benchmark_versions(PRESET)[:-1]
    with tempfile.TemporaryDirectory() as folder:
        _cost(SMALL, versions, Path(folder))  # compiles, and settles threads and pages
        print(
            "| scans | shape | number | TorchIO s | written s | on the fly s | ratio written | "
            "ratio on the fly | npy GB | nii.gz GB |\n|-|-|-|-|-|-|-|-|-|-|"
        )
        measured: dict[str, Cost] = {}
        costs = []
        for name in names:
            shape, number = SETS[name]
            model = CLASSES.get(name, name)
            if model not in measured:
                measured[model] = _cost(SETS[model][0], versions, Path(folder))
            factor = math.prod(shape) / math.prod(SETS[model][0])
            costs.append((number, measured[model].scaled(factor)))
            _print_row(name, model, *costs[-1])
    _print_total(costs, len(versions))


def _names() -> list[str]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default=",".join(SETS))
    return str(parser.parse_args().only).split(",")


def _cost(shape: tuple[int, int, int], versions: tuple[Version, ...], folder: Path) -> Cost:
    file = write(made_head(shape), folder / "sub-01_T1w.nii.gz", dtype="int16")
    scan = Scan("sub-01", file, "T1w", None, "plain")
    reading = _seconds(lambda: read(file))
    clean = read(file)
    batch = Batch((), 7, folder / "bench", "auto")
    published = written = on_the_fly = 0.0
    written_bytes = 0
    for version in versions:
        unit = Unit(scan, file.name, version, f"{version.artifact}_{version.level}.nii.gz")
        made = draw(clean, unit, batch.seed)
        drawing = _seconds(lambda unit=unit: draw(clean, unit, batch.seed))
        writing = _seconds(lambda made=made, unit=unit: write_image(made, unit, batch))
        published += _seconds(_as_published(clean, version, made, folder / "version.npy"))
        on_the_fly += drawing
        written += drawing + writing
        written_bytes += sum((batch.out / name).stat().st_size for name in (unit.file, unit.record))
    published_bytes = len(versions) * (folder / "version.npy").stat().st_size
    return Cost(published, published_bytes, written + reading, written_bytes, on_the_fly + reading)


def _as_published(clean: Volume, version: Version, made: Volume, to: Path) -> Callable[[], None]:
    params = dict(made.history[-1].params)
    transform = torchio_transform(version.artifact, params, clean.shape)
    return lambda: np.save(to, transform(clean.data[None])[0].numpy())


def _seconds(call: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    start = time.process_time()
    call()
    return time.process_time() - start


def _print_row(name: str, model: str, number: int, cost: Cost) -> None:
    size = " x ".join(map(str, SETS[name][0])) + ("" if model == name else f", as {model}")
    print(
        f"| {name} | {size} | {number:,} | {cost.published:.1f} | {cost.written:.1f} | "
        f"{cost.on_the_fly:.1f} | {cost.published / cost.written:.1f} | "
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
