"""The numbers that anyone would look at first, of whole scans."""

from pathlib import Path

from isocenter.assessors.hsfnet import places
from isocenter.data.preprocess import Slabs
from isocenter.data.volume import Volume
from isocenter.ops.slabs import N_SIMPLE, find_head, simple_numbers, take_slabs
from isocenter.training.baselines._features import FeatureTable

__all__ = ["simple_table"]

SLABS = Slabs()
NAMES = tuple(f"simple_{i:02d}" for i in range(N_SIMPLE))


def simple_table(path: Path | None) -> FeatureTable:
    """:func:`isocenter.ops.slabs.simple_numbers` over the slabs that the assessor looks at."""
    return FeatureTable(NAMES, _measure, path=path)


def _measure(scan: Volume) -> list[float]:
    head = find_head(scan.data)
    where = places(scan, head, SLABS)
    found: list[float] = simple_numbers(
        take_slabs(scan.data, scan.spacing, head, where, SLABS)
    ).tolist()
    return found
