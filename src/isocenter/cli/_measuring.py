"""One input of ``isocenter metrics``: through the door, measured, and put into words."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import isocenter
from isocenter.cli._failures import Failure, failure
from isocenter.cli._failures import died as killed
from isocenter.cli._lines import head_line
from isocenter.cli._options import Options
from isocenter.cli._volumes import load_scan
from isocenter.data.scores import ScanFacts, Score
from isocenter.datasets.mriqc import MEASURES, MeasuredScan
from isocenter.errors import UnknownName
from isocenter.reports import json, mriqc

if TYPE_CHECKING:
    from isocenter.assessors import Metrics, NoRating, Rating
    from isocenter.data.volume import Volume
    from isocenter.measures import Definition

__all__ = ["Choices", "Job", "Result", "died", "work"]


@dataclass(frozen=True)
class Choices:
    """What the user chose for all inputs of a run."""

    reading: Options
    definition: str = "corrected"
    population: str = "abide"
    only: tuple[str, ...] = ()
    """Metrics or measures; all measures, or with a reference all metrics, when empty."""
    brain: Path | None = None
    head: Path | None = None
    tissue: tuple[Path, Path, Path] | None = None
    template: tuple[Path, Path, Path] | None = None
    reference: Path | None = None
    mask: Path | str = "head"
    data_range: float | None = None
    plane: str = "axial"
    sliced: bool = False
    folder: Path | None = None
    """Where MRIQC's files go; ``None`` for nowhere."""


@dataclass(frozen=True)
class Job:
    """One scan to measure, or one that a file of MRIQC holds."""

    path: Path
    name: str
    """Name of its results."""
    choices: Choices
    known: MeasuredScan | None = None


@dataclass(frozen=True)
class Result:
    """What became of one scan."""

    scan: Path
    head: str = ""
    """First line."""
    document: Mapping[str, Any] = field(default_factory=dict)
    scores: tuple[Score, ...] = ()
    metrics: Metrics | None = None
    reference: str | None = None
    """File name of the reference."""
    ratings: tuple[Rating | NoRating, ...] = ()
    notes: tuple[str, ...] = ()
    measured: MeasuredScan | None = None
    error: str | None = None
    code: int = 0
    fatal: bool = False
    trace: str | None = None


def work(job: Job) -> list[Result]:
    """Measure one scan; every failure becomes a result."""
    try:
        return [_known(job, job.known) if job.known else _scan(job)]
    except Exception as error:
        return [_failed(job, failure(error))]


def died(job: Job) -> list[Result]:
    """The result of a job whose process was killed."""
    return [_failed(job, killed())]


def _failed(job: Job, why: Failure) -> Result:
    return Result(job.path, error=why.error, code=why.code, fatal=why.fatal, trace=why.trace)


def _known(job: Job, scan: MeasuredScan) -> Result:
    """Percentiles and ratings of what another program measured."""
    from isocenter.assessors import ratings, scores_of_file

    scores = scores_of_file(scan, population=job.choices.population)
    told = ratings(scores, definition=scan.definition, contrast=scan.contrast)
    shown = _chosen(scores, job.choices.only)
    head = f"{scan.name}   {scan.contrast or 'contrast unknown'}, from {job.path.name}"
    document = _document(scan.name, scan.contrast, scan.definition, shown)
    document["ratings"] = _ratings(told)
    return Result(job.path, head, document, shown, ratings=told, measured=scan)


def _scan(job: Job) -> Result:
    began = time.monotonic()
    reading = job.choices.reading
    loaded = load_scan(job.path, reading, reading.volume)
    import torch

    from isocenter.data.io import to_volume

    torch.set_num_threads(reading.threads)
    volume = to_volume(loaded, contrast=reading.contrast)
    facts = replace(loaded.facts, contrast=volume.contrast)
    made = _by_metrics if _wants_metrics(job.choices) else _by_measures
    result = made(job, volume, facts)
    result.document["notes"] = list(facts.warnings)  # type: ignore[index]
    head = head_line(facts, time.monotonic() - began, "")
    return replace(result, head=head, notes=facts.warnings)


def _wants_metrics(choices: Choices) -> bool:
    from isocenter.registry import metrics

    return choices.reference is not None or bool(set(choices.only) & set(metrics.names()))


def _by_metrics(job: Job, volume: Volume, facts: ScanFacts) -> Result:
    from isocenter.assessors import metrics, metrics_that_compare

    choices = job.choices
    found = metrics(
        volume,
        choices.only or metrics_that_compare(),
        reference=choices.reference,
        data_range=choices.data_range,
        mask=choices.mask,
        plane=cast(Any, choices.plane),
        sliced=choices.sliced,
    )
    reference = choices.reference.name if choices.reference else None
    document = _document(facts.name, facts.contrast, None, found.scores)
    document["comparison"] = json.with_reasons(
        {
            "reference": reference,
            "where": found.where,
            "n_voxels": found.n_voxels,
            "data_range": found.data_range,
            "how": {one.score.name: one.how for one in found.found if one.how},
        },
        reference="these metrics look at one scan",
    )
    return Result(
        job.path, document=document, scores=found.scores, metrics=found, reference=reference
    )


def _by_measures(job: Job, volume: Volume, facts: ScanFacts) -> Result:
    from isocenter.assessors import measured, ratings

    choices = job.choices
    scores = measured(
        volume,
        definition=cast("Definition", choices.definition),
        head=choices.head,
        brain=choices.brain,
        tissue=choices.tissue,
        template=choices.template,
        population=choices.population,
    )
    told = ratings(scores, definition=choices.definition, contrast=volume.contrast)
    shown = _chosen(scores, choices.only)
    document = _document(facts.name, volume.contrast, choices.definition, shown)
    document["ratings"] = _ratings(told)
    kept = _as_mriqc(job, scores, volume.contrast, facts)
    if choices.folder is not None:
        mriqc.write_document(kept, choices.folder / f"{job.name}.json")
    return Result(job.path, document=document, scores=shown, ratings=told, measured=kept)


def _as_mriqc(
    job: Job, scores: Iterable[Score], contrast: str | None, facts: ScanFacts
) -> MeasuredScan:
    return MeasuredScan(
        name=job.name,
        measures={score.name: score.value for score in scores if score.name in MEASURES},
        definition=job.choices.definition,
        contrast=contrast,
        bids_meta={} if contrast is None else {"modality": contrast},
        provenance={
            "software": "isocenter",
            "version": isocenter.__version__,
            "sha256": facts.sha256,
        },
    )


def _chosen(scores: tuple[Score, ...], only: tuple[str, ...]) -> tuple[Score, ...]:
    """The scores of these names, or whose names begin so: ``snr`` is all of ``snr_*``."""
    if not only:
        return scores
    chosen = [
        [score for score in scores if score.name == name or score.name.startswith(f"{name}_")]
        for name in only
    ]
    for name, found in zip(only, chosen, strict=True):
        if not found:
            raise UnknownName("measure", name, [score.name for score in scores])
    return tuple(dict.fromkeys(score for found in chosen for score in found))


def _document(
    name: str, contrast: str | None, definition: str | None, scores: Iterable[Score]
) -> dict[str, Any]:
    return json.with_reasons(
        {
            "input": name,
            "contrast": contrast,
            "definition": definition,
            "metrics": {score.name: json.metric(score) for score in scores},
            "isocenter": isocenter.__version__,
        },
        contrast="neither the file nor the caller says which contrast it is",
        definition="nothing was measured by a formula that goes by definitions",
    )


def _ratings(told: Iterable[Rating | NoRating]) -> dict[str, Any]:
    return {one.model: _rating(one) for one in told}


def _rating(one: Rating | NoRating) -> dict[str, Any]:
    why = getattr(one, "why_missing", None)
    values = {
        name: getattr(one, name, None) for name in ("probability", "of", "expected", "outside")
    }
    reasons = dict.fromkeys(values, why or "the raters gave no score")
    return json.with_reasons(
        {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}, **reasons
    )
