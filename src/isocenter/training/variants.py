"""A clean scan as training varies it, and every version that the presets make of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from isocenter.artifacts import versions
from isocenter.data.io import read
from isocenter.data.random import child
from isocenter.data.volume import Volume
from isocenter.datasets.collection import Source
from isocenter.datasets.label_heads import paint_head
from isocenter.training.examples import Damage, damage_scan, vary, with_field_of_view

__all__ = ["Version", "damaged", "variant_of", "versions_of_presets"]

Version = tuple[str, str, int]
"""Preset, artifact, level."""


def versions_of_presets(presets: Sequence[str]) -> Iterator[Version]:
    """Pristine once, then every artifact at every level of every preset."""
    yield "physical", "pristine", 0
    for preset in presets:
        for artifact, level in versions(preset):
            yield preset, artifact, level


def variant_of(source: Source, variant: int, rng: torch.Generator) -> Volume:
    """The undamaged scan: as it is (0), or varied as in training."""
    scan = replace(read(source.path), history=())
    if variant > 0:
        return vary(scan, source, rng=rng)
    if source.kind == "labels":
        return paint_head(scan, rng=rng)
    return scan if source.kind == "head" else with_field_of_view(scan, rng=rng)


def damaged(clean: Volume, version: Version, rng: torch.Generator) -> Volume:
    """All levels of an artifact share a stream: only the strength differs between them."""
    preset, artifact, level = version
    damage = Damage(preset, ((artifact, level),) if level else ())
    return damage_scan(clean, damage, rng=child(rng, artifact))
