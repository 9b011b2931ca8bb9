"""What the network says of every version of every scan of some people; kept in one file."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from isocenter.assessors.hsfnet import Assessor, places
from isocenter.data.atomic import write_bytes
from isocenter.data.preprocess import Slabs
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume
from isocenter.datasets.collection import Source
from isocenter.datasets.foreign_objects import paint_object
from isocenter.ops.slabs import find_head, take_slabs
from isocenter.training.examples import full_reference
from isocenter.training.variants import Version, damaged, variant_of, versions_of_presets

__all__ = [
    "Predictions",
    "concatenate",
    "load",
    "predict",
    "predict_foreign",
    "predict_shading",
]


COLUMNS = ("person", "scan", "kind", "variant", "preset", "artifact", "level")
"""Parts of a row's name."""
TENSORS = ("outputs", "features", "quality", "simple", "shading")
Row = tuple[torch.Tensor, ...]
"""One row of each of ``TENSORS``."""


@dataclass(frozen=True)
class Predictions:
    """Rows of raw outputs; the truth of each row is its name."""

    names: tuple[str, ...]
    """``person|scan|kind|variant|preset|artifact|level``; level 0 is pristine."""
    outputs: torch.Tensor
    """(rows, n_outputs)."""
    features: torch.Tensor
    """(rows, 128)."""
    quality: torch.Tensor
    """(rows,) mean SSIM over the slabs that were looked at."""
    simple: torch.Tensor
    """(rows, k) numbers that the simple methods use."""
    shading: torch.Tensor
    """(rows, 13) :func:`isocenter.ops.shading.shading_facts`."""

    def column(self, name: str) -> np.ndarray:
        """One part of the names as an array of text."""
        return np.array([row.split("|")[COLUMNS.index(name)] for row in self.names])

    def where(self, keep: np.ndarray) -> "Predictions":
        """The rows where ``keep`` is True."""
        rows = torch.from_numpy(np.flatnonzero(keep))
        names = tuple(self.names[i] for i in rows.tolist())
        return Predictions(names, *(getattr(self, part)[rows] for part in TENSORS))

    def save(self, path: Path) -> None:
        """Write atomically."""
        text = torch.tensor(list("\n".join(self.names).encode()), dtype=torch.uint8)
        plain = {**vars(self), "names": text}
        whole = {name: tensor.contiguous() for name, tensor in plain.items()}
        write_bytes(path, safetensors.torch.save(whole))


def load(path: Path) -> Predictions:
    """Inverse of :meth:`Predictions.save`."""
    tensors = safetensors.torch.load(path.read_bytes())
    names = bytes(tensors.pop("names").tolist()).decode().split("\n")
    return Predictions(tuple(names), **tensors)


def concatenate(parts: Sequence[Predictions]) -> Predictions:
    """All rows of several."""
    return Predictions(
        tuple(name for part in parts for name in part.names),
        *(torch.cat([getattr(part, tensor) for part in parts]) for tensor in TENSORS),
    )


def predict(
    assessor: Assessor,
    scans: Sequence[Source],
    *,
    presets: Sequence[str],
    n_variants: int,
    seed: int,
    say: Callable[[str], None] = print,
) -> Predictions:
    """Every version of every scan through the network.

    Args:
        assessor: The network; its calibration is not used.
        scans: Clean scans and label maps.
        presets: Whose versions; pristine comes once.  Others than brains get the first only.
        n_variants: 1 = the scan as it is; each further one is varied as in training.
        seed: Of all draws.
        say: Told after every variant of a scan.
    """

    def versions_of(source: Source) -> Iterator[Version]:
        return versions_of_presets(presets if source.kind == "brain" else presets[:1])

    return _all_rows(partial(_row, assessor), versions_of, scans, n_variants, seed, say)


def predict_shading(
    preprocess: Slabs,
    scans: Sequence[Source],
    *,
    n_variants: int,
    seed: int,
    say: Callable[[str], None] = print,
) -> Predictions:
    """Every level of ``bias`` of every scan, without a network: how it is lit, and its quality.

    Args:
        preprocess: How the slabs are cut that the quality is measured on.
        scans: Clean scans and label maps.
        n_variants: 1 = the scan as it is; each further one is varied as in training.
        seed: Of all draws.
        say: Told after every variant of a scan.

    Returns:
        Rows whose ``outputs``, ``features`` and ``simple`` are empty.
    """

    def levels_of(source: Source) -> Iterator[Version]:
        return (v for v in versions_of_presets(("physical",)) if v[1] == "bias")

    return _all_rows(partial(_shading_row, preprocess), levels_of, scans, n_variants, seed, say)


def _all_rows(
    row: Callable[[Volume, Version, torch.Generator], Row],
    versions_of: Callable[[Source], Iterator[Version]],
    scans: Sequence[Source],
    n_variants: int,
    seed: int,
    say: Callable[[str], None],
) -> Predictions:
    names, rows = [], []
    for source in scans:
        for variant in range(n_variants):
            rng = child(generator(seed), source.person, source.path.name, variant)
            clean = variant_of(source, variant, rng)
            for version in versions_of(source):
                rows.append(row(clean, version, rng))
                parts = (source.person, source.path.name, source.kind, variant, *version)
                names.append("|".join(map(str, parts)))
            say(f"{source.person} {source.path.name} variant {variant}")
    return Predictions(tuple(names), *map(torch.stack, zip(*rows, strict=True)))


def predict_foreign(
    assessor: Assessor, *, first: int, count: int, seed: int, say: Callable[[str], None] = print
) -> Predictions:
    """Painted objects through the network; their quality means nothing.

    Args:
        assessor: The network.
        first: Number of the first object.
        count: How many.
        seed: Of all draws.
        say: Told now and then.
    """
    names, rows = [], []
    for number in range(first, first + count):
        scan = paint_object(rng=child(generator(seed), "foreign", number))
        raw = assessor.look(scan)
        shading = torch.tensor(raw.head.shading)
        rows.append((raw.scan, raw.features, torch.tensor(0.0), raw.simple, shading))
        names.append(f"object-{number}|object|foreign|0|none|none|0")
        if number % 20 == 0:
            say(f"foreign object {number}")
    return Predictions(tuple(names), *map(torch.stack, zip(*rows, strict=True)))


def _row(assessor: Assessor, clean: Volume, version: Version, rng: torch.Generator) -> Row:
    """What the network says of one version, and the truth about it."""
    worse = damaged(clean, version, rng)
    raw = assessor.look(worse)
    quality = full_reference(clean, raw.batch, worse, raw.head, assessor.preprocess)
    shading = torch.tensor(raw.head.shading)
    return raw.scan, raw.features, torch.nanmean(quality), raw.simple, shading


def _shading_row(preprocess: Slabs, clean: Volume, version: Version, rng: torch.Generator) -> Row:
    worse, nothing = damaged(clean, version, rng), torch.zeros(0)
    head = find_head(worse.data)
    where = places(worse, head, preprocess)
    batch = take_slabs(worse.data, worse.spacing, head, where, preprocess)
    quality = full_reference(clean, batch, worse, head, preprocess)
    return nothing, nothing, torch.nanmean(quality), nothing, torch.tensor(head.shading)
