"""The result document: versioned, never NaN, and with a reason for every ``null``.

The form is described in ``docs/reference/result-schema.md`` and in the JSON Schema file
``result.schema.json`` beside this module.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from isocenter.data.scores import (
    Domain,
    Finding,
    Opinion,
    Percentile,
    Provenance,
    QualityReport,
    ScanFacts,
    Score,
    Strip,
)
from isocenter.data.step import JSON, Step
from isocenter.reports.series import Series, VolumeResult
from isocenter.reports.text import valid

__all__ = [
    "SCHEMA_VERSION",
    "document",
    "dump",
    "metric",
    "scan_facts",
    "schema",
    "schema_of_metrics",
    "with_reasons",
]

SCHEMA_VERSION = "1.2"
"""Changes in its first part when a reader of older documents would break."""

Document: TypeAlias = dict[str, JSON]

DECIMALS = 4
NO_POPULATION = "no reference population was compared with"
NO_REFERENCE = "no reference scan was given"
NO_HEAD = "null where the slice shows no head"


def document(report: QualityReport, series: Series | None = None) -> Document:
    """The document of one report; ``series`` adds the other volumes of a 4-D file."""
    made: Document = {
        "schema_version": SCHEMA_VERSION,
        "subject": report.subject,
        "verdict": report.verdict,
        "notes": list(report.notes),
        "input": scan_facts(report.scan),
        "score": _quality(report),
        "artifacts": [_finding(finding) for finding in report.artifacts],
        "metrics": {name: metric(score) for name, score in report.metrics.items()},
        "domain": _domain(report.domain),
        "strips": [_strip(strip) for strip in report.strips],
        "history": [_step(step) for step in report.history if step.name != "read"],
        "provenance": _provenance(report.provenance),
    }
    if report.opinions:
        made["models"] = [_opinion(opinion) for opinion in report.opinions]
    if series is not None:
        made["volumes"] = _series(series)
    return made


def dump(content: object, *, compact: bool = False) -> str:
    """JSON text of plain values: sorted keys, a newline at its end, one line if ``compact``."""
    text = json.dumps(
        _valid(content),
        ensure_ascii=False,
        allow_nan=False,
        sort_keys=True,
        indent=None if compact else 2,
    )
    return text + "\n"


def schema() -> Document:
    """The JSON Schema that every document of this version follows."""
    text = Path(__file__).with_name("result.schema.json").read_text(encoding="utf-8")
    loaded: Document = json.loads(text)
    return loaded


def schema_of_metrics() -> Document:
    """The JSON Schema of one document that ``isocenter metrics --json`` prints."""
    whole = schema()
    return {"$ref": "#/$defs/measured", "$schema": whole["$schema"], "$defs": whole["$defs"]}


def with_reasons(fields: Mapping[str, JSON], **reasons: str) -> Document:
    """``fields`` and, for each that is ``None``, its reason."""
    given: Document = {name: reasons[name] for name, value in fields.items() if value is None}
    return {**fields, "reason_if_null": given}


def scan_facts(scan: ScanFacts) -> Document:
    """What a file says of itself, as documents hold it."""
    return with_reasons(
        {
            "name": scan.name,
            "sha256": scan.sha256,
            "format": scan.format,
            "shape": list(scan.shape),
            "zooms": [_rounded(mm) for mm in scan.spacing],
            "dtype": scan.dtype,
            "orientation": scan.orientation,
            "modality": scan.contrast,
            "warnings": list(scan.warnings),
        },
        sha256="the scan did not come from a file",
        format="the scan did not come from a file",
        dtype="the scan did not come from a file",
        orientation="the scan did not come from a file",
        modality="neither the file nor the caller says which contrast it is",
    )


def _quality(report: QualityReport) -> Document:
    score = report.quality
    source = f"card of model {report.provenance.model} ({report.provenance.model_sha256})"
    return with_reasons(
        {
            "value": _rounded(score.value),
            "interval": _interval(score),
            "calibration": None if score.interval is None else {"level": 0.9, "source": source},
            "percentile": None,
            "reference": _reference(report),
        },
        value=score.why_missing or "not finite",
        interval=score.why_missing or "the model gives no interval",
        calibration=score.why_missing or "the model gives no interval",
        percentile=NO_POPULATION,
        reference=NO_REFERENCE,
    )


def _reference(report: QualityReport) -> JSON:
    """Names of the measures that compare with a reference, when one was given."""
    names: list[JSON] = [n for n, score in sorted(report.metrics.items()) if score.compared]
    return {"metrics": names} if names else None


def metric(score: Score) -> Document:
    """One score of ``metrics``; with its place in a population where one is known."""
    missing = score.why_missing or "not finite"
    place, reasons = _place(score.percentile) if score.percentile else ({}, {})
    return with_reasons(
        {
            "value": _significant(score.value),
            "unit": score.unit or "1",
            "better": score.better,
            "low": _significant(score.low),
            "high": _significant(score.high),
            "interval": _interval(score),
            **place,
        },
        value=missing,
        better="describes and does not judge",
        low="unbounded",
        high="unbounded",
        interval=score.why_missing or "not estimated for this measure",
        **reasons,
    )


def _place(percentile: Percentile) -> tuple[Document, dict[str, str]]:
    """Percentile and population, and why there are none."""
    why = percentile.why_missing or "not known"
    if percentile.value is None or percentile.band is None:
        return {"percentile": None, "population": None}, {"percentile": why, "population": why}
    low, high = percentile.band
    population: Document = {
        "name": percentile.population,
        "n": percentile.n,
        "low": _significant(low),
        "high": _significant(high),
    }
    return {"percentile": _rounded(percentile.value), "population": population}, {}


def _finding(finding: Finding) -> Document:
    return {
        "name": finding.name,
        "found": finding.probability >= 0.5,
        "probability": _rounded(finding.probability),
        "level": finding.level,
        "severity": _rounded(finding.severity),
        "slices": [
            {"plane": one.plane, "first": one.first, "last": one.last} for one in finding.slices
        ],
    }


def _opinion(opinion: Opinion) -> Document:
    made: Document = {
        "name": opinion.model,
        "sha256": opinion.model_sha256,
        "estimates": opinion.score.name,
        "score": metric(opinion.score),
        "agrees": opinion.agrees,
        "says": opinion.says,
    }
    return with_reasons(made, agrees="the first model, or nothing to compare it with")


def _domain(domain: Domain) -> Document:
    made: Document = {
        "in_domain": domain.in_domain,
        "distance": _significant(domain.distance),
        "limit": _significant(domain.limit),
    }
    if domain.reason is not None:
        made["reason"] = domain.reason
    return with_reasons(made, distance="not measurable on this scan", limit="unbounded")


def _strip(strip: Strip) -> Document:
    made: Document = {
        "plane": strip.plane,
        "severity": [_rounded(value) for value in strip.severity],
    }
    reasons: Document = {"severity": NO_HEAD} if None in strip.severity else {}
    return {**made, "reason_if_null": reasons}


def _step(step: Step) -> Document:
    made: Document = {"name": step.name, "params": dict(step.params), "seed": step.seed}
    return with_reasons(made, seed="nothing was drawn")


def _provenance(made_by: Provenance) -> Document:
    return {
        "isocenter": made_by.isocenter,
        "model": made_by.model,
        "model_sha256": made_by.model_sha256,
        "params_sha256": made_by.params_sha256,
        "device": made_by.device,
        "seconds": round(made_by.seconds, 3),
        "peak_rss": made_by.peak_rss,
        **({} if made_by.measures is None else {"measures": made_by.measures}),
    }


def _series(series: Series) -> Document:
    lowest = series.lowest
    return with_reasons(
        {
            "count": len(series.volumes),
            "scored": series.n_scored,
            "summary": "median",
            "described": series.described,
            "lowest": None if lowest is None else lowest.index,
            "items": [_volume(volume) for volume in series.volumes],
        },
        lowest="no volume has a score",
    )


def _volume(volume: VolumeResult) -> Document:
    missing = volume.quality.why_missing or "not finite"
    return with_reasons(
        {
            "index": volume.index,
            "value": _rounded(volume.quality.value),
            "interval": _interval(volume.quality),
            "artifacts": [_finding(finding) for finding in volume.artifacts],
        },
        value=missing,
        interval=volume.quality.why_missing or "the model gives no interval",
    )


def _interval(score: Score) -> JSON:
    if score.interval is None:
        return None
    low, high = score.interval
    return [_rounded(low), _rounded(high)] if math.isfinite(low) and math.isfinite(high) else None


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return round(value, DECIMALS) + 0.0  # no minus zero


def _significant(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}") + 0.0


def _valid(content: object) -> object:
    """The same content with every text fit for UTF-8."""
    if isinstance(content, str):
        return valid(content)
    if isinstance(content, Mapping):
        return {valid(str(key)): _valid(value) for key, value in content.items()}
    if isinstance(content, Sequence):
        return [_valid(value) for value in content]
    return content
