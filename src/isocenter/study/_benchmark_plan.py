"""``Job`` and its plan: which images a benchmark has, and where each of them lies."""

from __future__ import annotations

import hashlib
import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch

from isocenter import registry
from isocenter.artifacts import Version
from isocenter.data.random import child, generator
from isocenter.data.search import subject_of
from isocenter.datasets.scan import Scan
from isocenter.errors import UsageError
from isocenter.version import __version__

__all__ = ["IMAGES", "MARK", "Crop", "Job", "Storage", "Unit", "make_job"]

Storage = Literal["auto", "int16", "float32"]
Crop = tuple[int, int, int] | Literal["published"]
"""Voxels along the axes of a scan's file, or what HSFNet's benchmark cuts its data set to."""

IMAGES = "images"
"""Folder of the images, below that of the results."""
MARK = "isocenter_simulate"
"""Key that marks a document as one of a simulation; its value is the format's number."""


@dataclass(frozen=True)
class Unit:
    """One image of a benchmark; it depends on nothing but what stands here and the seed."""

    scan: Scan
    source: str
    """The scan's path, relative to the folder of all scans."""
    version: Version
    file: str
    """The image's path, relative to the folder of the results."""

    @property
    def record(self) -> str:
        """Path of the record; the image exists only where this does."""
        return self.file.removesuffix(".nii.gz") + ".json"


@dataclass(frozen=True)
class Job:
    """A benchmark: these versions of these scans, by this seed; see :func:`make_job`."""

    root: Path
    """Absolute; sources are named relative to it."""
    scans: tuple[Scan, ...]
    """In the order of the plan, with absolute paths."""
    versions: tuple[Version, ...]
    seed: int
    out: Path
    """Absolute."""
    storage: Storage = "auto"
    n_images: int | None = None
    """How many of all images to make, spread evenly; all of them when ``None``."""
    shard: tuple[int, int] = (1, 1)
    """Which part of how many: the part decides what is made here, and nothing else."""
    crop: Crop | None = None
    """What is cut out of the middle of a scan before anything is done to it."""

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """Every image, of all shards, scan by scan."""
        sources = [_relative(scan.path, self.root) for scan in self.scans]
        folders = _folders(sources)
        wanted = self._spread()
        return tuple(
            Unit(scan, source, version, f"{IMAGES}/{folder}/{_named(version)}.nii.gz")
            for i, (scan, source, folder) in enumerate(
                zip(self.scans, sources, folders, strict=True)
            )
            for j, version in enumerate(self.versions)
            if wanted is None or (i, j) in wanted
        )

    @property
    def own_units(self) -> tuple[Unit, ...]:
        """The images of this shard: all versions of every n-th scan."""
        part, n_parts = self.shard
        mine = {scan.path for scan in self.scans[part - 1 :: n_parts]}
        return tuple(unit for unit in self.units if unit.scan.path in mine)

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the bytes of the results, as far as it is known without reading a scan."""
        listing = [
            [_relative(s.path, self.root), s.person, s.session, s.contrast, _size(s.path)]
            for s in self.scans
        ]
        return {
            MARK: 1,
            "isocenter": __version__,
            "seed": self.seed,
            "versions": [f"{version.preset}/{_named(version)}" for version in self.versions],
            "storage": self.storage,
            "crop": list(self.crop) if isinstance(self.crop, tuple) else self.crop,
            "images": len(self.units),
            "scans": len(self.scans),
            "scans_sha256": hashlib.sha256(repr(listing).encode()).hexdigest(),
        }

    def crop_of(self, scan: Scan) -> tuple[int, int, int] | None:
        """What is cut out of a scan; ``None`` for all of it."""
        return published_crop(scan) if self.crop == "published" else self.crop

    def _spread(self) -> set[tuple[int, int]] | None:
        """Places (scan, version) of the images that are wanted; ``None`` for all.

        The k-th image shows scan k mod S in version k + floor(k / lcm(S, V)) mod V: every pair
        comes once, and after any k all scans, and all versions, differ by one image at most.
        """
        if self.n_images is None:
            return None
        n_scans, n_versions = len(self.scans), len(self.versions)
        period = math.lcm(n_scans, n_versions)
        rng = child(generator(self.seed), "spread")
        order = torch.randperm(n_scans, generator=rng).tolist()
        turns = range(self.n_images)
        return {(order[k % n_scans], (k + k // period) % n_versions) for k in turns}


def make_job(
    scans: Sequence[Scan],
    versions: Sequence[Version],
    *,
    source: Path,
    out: Path,
    seed: int = 0,
    storage: Storage = "auto",
    n_images: int | None = None,
    shard: tuple[int, int] = (1, 1),
    crop: Crop | None = None,
) -> Job:
    """A job; the order of ``scans`` does not matter.

    Args:
        scans: Undamaged scans, all in ``source``.
        versions: From :func:`isocenter.artifacts.benchmark_versions`.
        source: The folder they were found in, or the only scan itself.
        out: Folder for the results, outside ``source``.
        seed: 0 to 2**63 - 1.
        storage: ``"auto"`` takes int16 for every image that loses next to nothing by it.
        n_images: Make only so many, spread evenly over scans and versions.
        shard: Part ``k`` of ``n``, counted from 1.
        crop: Cut this out of the middle of every scan first.

    Raises:
        UsageError: Some number makes no sense, ``out`` lies in ``source``, or nobody published
            what these scans are cut to.
    """
    source, out = Path(os.path.abspath(source)), Path(os.path.abspath(out))
    if Path(os.path.realpath(out)).is_relative_to(os.path.realpath(source)):
        raise UsageError(f"{out} lies where the scans are: choose a folder outside {source}")
    placed = {Path(os.path.abspath(scan.path)): scan for scan in scans}
    _check_numbers(seed, n_images, len(placed) * len(versions), shard)
    if crop == "published":
        for scan in scans:
            published_crop(scan)
    ordered = sorted(placed.items(), key=lambda pair: pair[0].as_posix())
    return Job(
        root=source.parent if source in placed else source,
        scans=tuple(replace(scan, path=path) for path, scan in ordered),
        versions=tuple(versions),
        seed=seed,
        out=out,
        storage=storage,
        n_images=n_images,
        shard=shard,
        crop=crop,
    )


def published_crop(scan: Scan) -> tuple[int, int, int]:
    """To what HSFNet's benchmark cuts the scans of this data set and contrast.

    Raises:
        UsageError: It is none of the benchmark's.
    """
    expected = registry.datasets.get(scan.dataset).LAYOUT.expected
    found = [one.crop for one in expected if one.contrast == scan.contrast and one.crop]
    if not found:
        raise UsageError(
            f"{scan.path.name}: no crop was published for {scan.contrast or 'unknown contrast'} "
            f"of {scan.dataset!r}: name the data set, or give the crop as three numbers"
        )
    size: tuple[int, int, int] = found[0]
    return size


def _check_numbers(seed: int, n_images: int | None, n_all: int, shard: tuple[int, int]) -> None:
    part, n_parts = shard
    if not 1 <= part <= n_parts:
        raise UsageError(f"shard {part}/{n_parts}: give a part from 1 to the number of parts")
    if n_images is not None and not 1 <= n_images <= n_all:
        raise UsageError(f"{n_images} images are asked for: give a number from 1 to {n_all}")
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed is {seed}: give a whole number from 0 to 2**63 - 1")


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _named(version: Version) -> str:
    return f"{version.artifact}_{version.level}" if version.level else version.artifact


def _folders(sources: Sequence[str]) -> list[str]:
    """The folder of each scan's images: its path without ending, where that is its own."""
    short = [Path(s).with_name(subject_of(Path(s))).as_posix() for s in sources]
    shared = Counter(name.casefold() for name in short)
    folders = [
        name if shared[name.casefold()] == 1 else source
        for name, source in zip(short, sources, strict=True)
    ]
    again = Counter(name.casefold() for name in folders)
    twice = [name for name in folders if again[name.casefold()] > 1]
    if twice:
        raise UsageError(
            f"{twice[0]!r} and {twice[1]!r} would be one folder on many disks: rename one scan"
        )
    return folders


def _size(path: Path) -> int | None:
    """Bytes of a file; ``None`` for a folder, and for what is gone."""
    return path.stat().st_size if path.is_file() else None
