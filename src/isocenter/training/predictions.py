"""What the network says of every version of every scan of some people; kept in one file."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from isocenter.artifacts import versions
from isocenter.assessors.hsfnet import Assessor
from isocenter.data.atomic import write_bytes
from isocenter.data.io import read
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume
from isocenter.datasets.collection import Source
from isocenter.datasets.foreign_objects import paint_object
from isocenter.datasets.label_heads import paint_head
from isocenter.training.examples import (
    Damage,
    damage_scan,
    full_reference,
    vary,
    with_field_of_view,
)

__all__ = ["Predictions", "concatenate", "load", "predict", "predict_foreign"]


COLUMNS = ("person", "scan", "kind", "variant", "preset", "artifact", "level")
"""Parts of a row's name."""


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

    def column(self, name: str) -> np.ndarray:
        """One part of the names as an array of text."""
        return np.array([row.split("|")[COLUMNS.index(name)] for row in self.names])

    def where(self, keep: np.ndarray) -> "Predictions":
        """The rows where ``keep`` is True."""
        rows = torch.from_numpy(np.flatnonzero(keep))
        names = tuple(self.names[i] for i in rows.tolist())
        parts = (self.outputs, self.features, self.quality, self.simple)
        return Predictions(names, *(part[rows] for part in parts))

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
        torch.cat([part.outputs for part in parts]),
        torch.cat([part.features for part in parts]),
        torch.cat([part.quality for part in parts]),
        torch.cat([part.simple for part in parts]),
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
    names, rows = [], []
    for source in scans:
        for variant in range(n_variants):
            rng = child(generator(seed), source.person, source.path.name, variant)
            clean = _variant(source, variant, rng)
            chosen = presets if source.kind == "brain" else presets[:1]
            for preset, artifact, level in _versions(chosen):
                rows.append(_row(assessor, clean, preset, artifact, level, rng))
                parts = (source.person, source.path.name, source.kind, variant, preset)
                names.append("|".join(map(str, (*parts, artifact, level))))
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
        rows.append((raw.scan, raw.features, torch.tensor(0.0), raw.simple))
        names.append(f"object-{number}|object|foreign|0|none|none|0")
        if number % 20 == 0:
            say(f"foreign object {number}")
    return Predictions(tuple(names), *map(torch.stack, zip(*rows, strict=True)))


def _versions(presets: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    yield "physical", "pristine", 0
    for preset in presets:
        for artifact, level in versions(preset):
            yield preset, artifact, level


def _variant(source: Source, variant: int, rng: torch.Generator) -> Volume:
    scan = replace(read(source.path), history=())
    if variant > 0:
        return vary(scan, source, rng=rng)
    if source.kind == "labels":
        return paint_head(scan, rng=rng)
    return scan if source.kind == "head" else with_field_of_view(scan, rng=rng)


def _row(
    assessor: Assessor, clean: Volume, preset: str, artifact: str, level: int, rng: torch.Generator
) -> tuple[torch.Tensor, ...]:
    """Outputs, features, true quality and simple numbers of one version.

    All levels of an artifact share a stream: only the strength differs between them.
    """
    damage = Damage(preset, ((artifact, level),) if level else ())
    worse = damage_scan(clean, damage, rng=child(rng, artifact))
    raw = assessor.look(worse)
    quality = full_reference(clean, raw.batch, worse, raw.head, assessor.preprocess)
    return raw.scan, raw.features, torch.nanmean(quality), raw.simple
