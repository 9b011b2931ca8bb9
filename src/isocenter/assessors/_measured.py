"""Measures of a scan, or of MRIQC's files, and where each stands in a population."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import get_args

from isocenter import registry
from isocenter.assessors._rating import RATERS, Rating, rating
from isocenter.data.grids import mask_of, on_grid
from isocenter.data.io import read
from isocenter.data.scores import Percentile, Score
from isocenter.data.shapes import Mask3
from isocenter.data.volume import Volume
from isocenter.datasets.mriqc import MEASURES, MeasuredScan
from isocenter.datasets.populations import NOT_COMPUTED, percentile, populations
from isocenter.errors import BadCheckpoint, UnknownName, UsageError
from isocenter.measures import GRID, Definition, measure
from isocenter.measures._scores import Kind
from isocenter.ops.tissue import TissueMaps, given_maps

__all__ = ["NoRating", "measured", "ratings", "scores_of_file", "tissue_of"]

Given = Volume | Path | str
"""A volume, or the path of one."""


@dataclass(frozen=True)
class NoRating:
    """Why a model gives no rating."""

    model: str
    why_missing: str


def measured(
    scan: Given,
    *,
    definition: Definition = "corrected",
    head: Given | None = None,
    brain: Given | None = None,
    tissue: tuple[Given, Given, Given] | None = None,
    template: tuple[Given, Given, Given] | None = None,
    population: str = "abide",
) -> tuple[Score, ...]:
    """All measures of a scan with their percentiles.

    Args:
        scan: A scan of a head, or the path of one.
        definition: Whose formulas.
        head: Where the head is: above zero.
        brain: Where the brain is: above zero.
        tissue: Probabilities of cerebrospinal fluid, grey and white matter.
        template: The same of a template, on a grid of its own; it is registered to the scan.
        population: With which scans the values are compared.

    Raises:
        BadVolume: A file cannot be used, or lies on another grid than the scan.
        UnknownName: No such definition or population.
    """
    check_names(definition, population)
    volume = scan if isinstance(scan, Volume) else read(scan)
    found = measure(
        volume,
        definition=definition,
        head=_mask(head, volume, "the head mask"),
        brain=_mask(brain, volume, "the brain mask"),
        tissue=None if tissue is None else tissue_of(tissue, volume),
        template=None if template is None else _volumes(template),
    )
    return _placed(found, definition, volume.contrast, population)


def check_names(definition: str, population: str) -> None:
    """Refuse names before anything is read.

    Raises:
        UnknownName: No such definition or population.
    """
    if definition not in get_args(Definition):
        raise UnknownName("definition", definition, get_args(Definition))
    if population not in populations():
        raise UnknownName("population", population, populations())


def tissue_of(given: tuple[Given, Given, Given], scan: Volume) -> TissueMaps:
    """Maps of cerebrospinal fluid, grey and white matter on the scan's grid.

    Raises:
        BadVolume: One cannot be read, lies on another grid, or holds no probabilities.
    """
    names = ("the map of CSF", "the map of grey matter", "the map of white matter")
    maps = [
        on_grid(one, scan, name, constant=True).data for one, name in zip(given, names, strict=True)
    ]
    return given_maps(*maps)


def scores_of_file(scan: MeasuredScan, *, population: str = "abide") -> tuple[Score, ...]:
    """The measures that a file of MRIQC holds, with unit, direction and percentile.

    Raises:
        UnknownName: No such population.
    """
    check_names(scan.definition, population)
    found = [_from_file(name, scan.measures[name]) for name in MEASURES if name in scan.measures]
    return _placed(found, scan.definition, scan.contrast, population)


def ratings(
    scores: Iterable[Score], *, definition: str, contrast: str | None
) -> tuple[Rating | NoRating, ...]:
    """What each of the shipped rating models says of a scan's measures, or why it says nothing."""
    values = {score.name: score.value for score in scores}
    return tuple(_rating(values, definition, contrast, model) for model in RATERS)


def _rating(
    values: Mapping[str, float | None], definition: str, contrast: str | None, model: str
) -> Rating | NoRating:
    try:
        return rating(values, definition=definition, contrast=contrast, model=model)
    except (UsageError, BadCheckpoint) as error:
        return NoRating(model, str(error))


def _volumes(given: tuple[Given, Given, Given]) -> tuple[Volume, Volume, Volume]:
    csf, gm, wm = (one if isinstance(one, Volume) else read(one) for one in given)
    return csf, gm, wm


def _mask(given: Given | None, scan: Volume, what: str) -> Mask3 | None:
    return None if given is None else mask_of(given, scan, what)


def _from_file(name: str, value: float | None) -> Score:
    kind, why = _kinds()[name], None
    if value is None:
        why = "the file holds no value"
    elif value == NOT_COMPUTED.get(name):
        value, why = None, f"not computed: the file holds {value:g}, as MRIQC writes then"
    return Score(name, value, kind.unit, kind.better, kind.low, kind.high, None, why)


@cache
def _kinds() -> Mapping[str, Kind]:
    """Unit, direction and limits of every measure."""
    kinds = dict(GRID)
    for name in registry.measures.names():
        kinds |= registry.measures.get(name).KINDS
    return kinds


def _placed(
    scores: Iterable[Score], definition: str, contrast: str | None, population: str
) -> tuple[Score, ...]:
    def standing(score: Score) -> Percentile | None:
        if score.name not in MEASURES:  # one of another package
            return None
        return percentile(
            score.name,
            score.value,
            definition=definition,
            contrast=contrast,
            population=population,
        )

    return tuple(replace(score, percentile=standing(score)) for score in scores)
