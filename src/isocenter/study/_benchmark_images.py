"""One image of a benchmark: drawn, written, and then put on record."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from isocenter.artifacts import make_version
from isocenter.data import atomic
from isocenter.data.io import cropped, read, write
from isocenter.data.io._writing import int16_scale
from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume
from isocenter.datasets.benchmark import scan_name
from isocenter.datasets.scan import Scan
from isocenter.errors import IsocenterError, ResourceError
from isocenter.study._benchmark_plan import MARK, Job, Storage, Unit

__all__ = [
    "Batch",
    "Failed",
    "Made",
    "batches",
    "died",
    "draw",
    "make",
    "read_source",
    "write_image",
]

N_TOGETHER = 8
"""Images of one scan that are made after one reading of it.  Reading costs a few per cent of
that, and more processes than scans still find work."""
LARGEST_LOSS = 1 / 8192
"""Half a step of 12 bits, which is what scanners themselves store."""
N_SAMPLED = 1 << 20
"""Voxels that the loss is measured on, evenly spread."""


@dataclass(frozen=True)
class Batch:
    """Images of one scan that one process makes one after the other."""

    units: tuple[Unit, ...]
    seed: int
    out: Path
    storage: Storage
    crop: tuple[int, int, int] | None = None
    """What is cut out of the scan first."""


@dataclass(frozen=True)
class Failed:
    """Images of one scan that could not be made."""

    source: Path
    n_images: int
    why: str
    code: int
    """Exit code that this alone would give."""
    fatal: bool = False
    """True when every other image would fail in the same way."""


@dataclass(frozen=True)
class Made:
    """What became of a batch."""

    n_made: int
    failed: tuple[Failed, ...] = ()


def batches(job: Job, units: tuple[Unit, ...]) -> Iterator[Batch]:
    """The images in portions of one scan each, in the order of the plan."""
    start = 0
    for i in range(1, len(units) + 1):
        ends = i == len(units) or units[i].scan != units[start].scan
        if ends or i - start == N_TOGETHER:
            crop = job.crop_of(units[start].scan)
            yield Batch(units[start:i], job.seed, job.out, job.storage, crop)
            start = i


def make(batch: Batch) -> Made:
    """Make every image of a batch; each failure becomes a result.

    One thread, for good: another number of threads would give other last digits.
    """
    torch.set_num_threads(1)
    try:
        clean = read_source(batch.units[0].scan, batch.crop)
    except Exception as error:
        return Made(0, (_failed(batch.units, error),))
    failed = []
    for unit in batch.units:
        try:
            write_image(draw(clean, unit, batch.seed), unit, batch)
        except Exception as error:
            failed.append(_failed((unit,), error))
    return Made(len(batch.units) - len(failed), tuple(failed))


def died(batch: Batch) -> Made:
    """The result of a batch whose process was killed."""
    why = "its process was killed, most likely for want of memory; try fewer workers"
    return Made(0, (Failed(batch.units[0].scan.path, len(batch.units), why, 6),))


def read_source(scan: Scan, crop: tuple[int, int, int] | None = None) -> Volume:
    """The undamaged scan, or the middle of it.

    Raises:
        InputError: It cannot be read, or is smaller than the crop.
    """
    whole = read(scan.path, contrast=scan.contrast)
    return whole if crop is None else cropped(whole, crop)


def draw(clean: Volume, unit: Unit, seed: int) -> Volume:
    """The image of ``unit``, from its names alone."""
    name = scan_name(unit.scan)
    return make_version(clean, unit.version, person=unit.scan.person, scan_name=name, seed=seed)


def write_image(image: Volume, unit: Unit, batch: Batch) -> Path:
    """Write the image, then its record.

    Raises:
        ResourceError: Disk full or not to be written to; an image without record does not count.
    """
    loss = int16_loss(image.data)
    dtype = _number_type(batch.storage, loss)
    path = batch.out / unit.file
    atomic.make_folder(path.parent)
    write(image, path, dtype=dtype)
    record = {
        MARK: 1,
        "file": unit.file,
        "person": unit.scan.person,
        "session": unit.scan.session,
        "source": unit.source,
        "source_sha256": image.origin.params["sha256"] if image.origin else None,
        "contrast": image.contrast,
        "preset": unit.version.preset,
        "artifact": unit.version.artifact,
        "level": unit.version.level,
        "seed": batch.seed,
        "storage": dtype,
        "storage_loss": loss if dtype == "int16" else 0.0,
        "sha256": _digest(path),
        "bytes": path.stat().st_size,
        "history": [
            {"name": step.name, "params": dict(step.params), "seed": step.seed}
            for step in image.history
            if step.name != "read"
        ],
    }
    text = json.dumps(record, indent=1, allow_nan=False) + "\n"
    return atomic.write_text(batch.out / unit.record, text)


def int16_loss(data: Image3) -> float | None:
    """What rounding to 16 bits costs: its largest error over the middle 98 % of brightness.

    A few voxels far above all others widen the range that 65,535 steps have to span, and so
    coarsen the steps for everything else; the percentiles do not see such voxels.

    Args:
        data: Finite values.

    Returns:
        ``None`` where nearly all voxels are equally bright.
    """
    values = data.numpy()
    slope, intercept = int16_scale(values)
    some = values.ravel()[:: values.size // N_SAMPLED | 1].astype(np.float64)
    low, high = np.percentile(some, (1, 99))
    if not low < high:
        return None
    back = np.rint((some - intercept) / slope) * slope + intercept
    return float(np.abs(back - some).max() / (high - low))


def _number_type(storage: Storage, loss: float | None) -> Literal["int16", "float32"]:
    """int16 where it is no coarser than scanners are; else every digit there is."""
    if storage != "auto":
        return storage
    return "int16" if loss is not None and loss <= LARGEST_LOSS else "float32"


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _failed(units: tuple[Unit, ...], error: Exception) -> Failed:
    scan, n_images = units[0].scan.path, len(units)
    match error:
        case IsocenterError():
            fatal = isinstance(error, ResourceError)
            return Failed(scan, n_images, str(error), error.exit_code, fatal)
        case MemoryError():
            return Failed(scan, n_images, "out of memory; lower the workers", 6)
    return Failed(scan, n_images, f"a bug in isocenter ({type(error).__name__}: {error})", 1)
