"""How the measures of MRIQC are spread over known scans: percentiles instead of thresholds.

A percentile is given only where definition and contrast are those of the population, since
values of another release, of T2w scans or of another program do not compare.  The numbers stand
in ``populations.json`` (see ``SOURCES.md``); ``tools/make_populations.py`` makes them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from isocenter.data.scores import Percentile
from isocenter.datasets.mriqc import DEFINITIONS, MEASURES
from isocenter.errors import UnknownName
from isocenter.ops.ranks import mid_rank

__all__ = ["NOT_COMPUTED", "Percentile", "Population", "percentile", "populations"]

NOT_COMPUTED: Mapping[str, float] = {
    "qi_1": -1,
    "fber": -1,
    **{f"snrd_{part}": -1 for part in ("csf", "gm", "total", "wm")},
    "qi_2": 0,
}
"""Values by which MRIQC says that a measure could not be made; they are in no population."""
BAND = (5.0, 95.0)
"""Percentiles of the reference band."""


@dataclass(frozen=True)
class Population:
    """Quantiles of every measure over one set of scans."""

    name: str
    title: str
    definition: str
    contrast: str
    licence: str
    source: str
    levels: Sequence[float]
    """Percent, increasing; the quantiles are taken at these."""
    n: Mapping[str, int]
    """Scans that have the measure."""
    quantiles: Mapping[str, Sequence[float]]


def percentile(
    name: str,
    value: float | None,
    *,
    definition: str,
    contrast: str | None,
    population: str = "abide",
) -> Percentile:
    """Where a measure's value stands among the scans of a population.

    Args:
        name: Measure, one of :data:`isocenter.datasets.mriqc.MEASURES`.
        value: What was measured; ``None`` where nothing was.
        definition: By which formulas: one of :data:`isocenter.datasets.mriqc.DEFINITIONS`.
        contrast: ``"T1w"``, ...; ``None`` when unknown.
        population: One of :func:`populations`.

    Returns:
        The percentile, or the reason why there is none.

    Raises:
        UnknownName: No such measure, definition or population.
    """
    for kind, given, known in (
        ("measure", name, MEASURES),
        ("definition", definition, DEFINITIONS),
        ("population", population, tuple(populations())),
    ):
        if given not in known:
            raise UnknownName(kind, given, known)
    among = populations()[population]
    why = _why_not(among, name, value, definition, contrast)
    if value is None or why is not None:
        return Percentile(None, None, 0, None, why)
    quantiles = among.quantiles[name]
    low, high = (quantiles[among.levels.index(level)] for level in BAND)
    share = mid_rank(value, quantiles, [level / 100 for level in among.levels])
    return Percentile(100 * float(share), among.name, among.n[name], (low, high))


@cache
def populations() -> Mapping[str, Population]:
    """The populations that ship with the package, by name."""
    text = Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = json.loads(text)
    return {name: Population(name=name, **part) for name, part in found.items()}


def _why_not(
    among: Population, name: str, value: float | None, definition: str, contrast: str | None
) -> str | None:
    if definition != among.definition:
        return f"population {among.name!r} was measured by {among.definition}, not by {definition}"
    if contrast != among.contrast:
        return f"population {among.name!r} is {among.contrast}, the scan {contrast or 'unknown'}"
    if name not in among.quantiles:
        return f"{name} tells how a scan was taken, not how good it is"
    if value is None or not math.isfinite(value) or value == NOT_COMPUTED.get(name):
        return f"{name} was not computed"
    return None
