"""One scan, or every volume of a 4-D file, through the door and the model."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from isocenter.cli._options import Options
from isocenter.data.io import Loaded, Selection, count_volumes, load
from isocenter.data.scores import QualityReport, ScanFacts, Score
from isocenter.errors import BadVolume, InputError, IsocenterError, NeedsChoice
from isocenter.reports.series import Series, VolumeResult, median_volume, volume_result

if TYPE_CHECKING:
    from isocenter.measures import Definition

__all__ = ["assess_volumes", "facts", "load_scan"]


def assess_volumes(scan: Path, options: Options) -> tuple[QualityReport, Series | None]:
    """The report on a scan; of a 4-D file, that on its median volume and what all got.

    One volume is in memory at a time.

    Raises:
        InputError: The scan cannot be used; raised before torch is imported.
    """
    try:
        return _assess(scan, options, options.volume), None
    except NeedsChoice:
        n_volumes = 1 if options.volume is not None else _count(scan)
        if n_volumes == 1:  # it asks for a series, which is not ours to choose
            raise
    return _assess_each(scan, options, n_volumes)


def _assess_each(scan: Path, options: Options, n_volumes: int) -> tuple[QualityReport, Series]:
    start = time.monotonic()
    plain = replace(options, measures=None)  # only the described volume is measured
    volumes = [_volume(scan, plain, index) for index in range(n_volumes)]
    described = median_volume(volumes)
    if described is None:  # then say of the first what hinders it
        described = 0
    report = _assess(scan, options, described)
    seconds = time.monotonic() - start
    report = replace(report, provenance=replace(report.provenance, seconds=seconds))
    return report, Series(described, tuple(volumes))


def facts(scan: Path, options: Options) -> ScanFacts:
    """What a scan's file says of itself."""
    try:
        said = load_scan(scan, options, options.volume).facts
    except NeedsChoice:
        said = load_scan(scan, options, 0).facts
    return replace(said, contrast=options.contrast or said.contrast)


def _count(scan: Path) -> int:
    with _at_the_door():
        return count_volumes(scan)


@contextlib.contextmanager
def _at_the_door() -> Iterator[None]:
    """Whatever is wrong with one input (gone, unreadable, a decoder missing) is its own."""
    try:
        yield
    except InputError:
        raise
    except IsocenterError as error:
        raise BadVolume(str(error)) from error


def _volume(scan: Path, options: Options, index: int) -> VolumeResult:
    try:
        return volume_result(index, _assess(scan, options, index))
    except InputError as error:
        missing = Score("quality", None, None, "higher", 0.0, 100.0, why_missing=str(error))
        return VolumeResult(index, missing, ())


def load_scan(scan: Path, options: Options, volume: int | None) -> Loaded:
    """A scan as its file holds it.

    Raises:
        InputError: It cannot be used; raised before torch is imported.
    """
    selection = Selection(
        volume=volume,
        series=options.series,
        max_voxels=options.max_voxels,
        voxel_size=options.voxel_size,
    )
    with _at_the_door():
        return load(scan, selection)


def _assess(scan: Path, options: Options, volume: int | None) -> QualityReport:
    loaded = load_scan(scan, options, volume)  # refuses a bad file; torch comes after this line
    import torch

    from isocenter.assessors import assess
    from isocenter.data.io import to_volume

    torch.set_num_threads(options.threads)
    made = to_volume(loaded, contrast=options.contrast)
    measures = cast("Definition", options.measures) if options.measures else False
    return assess(made, measures=measures, model=options.model, device=options.device)
