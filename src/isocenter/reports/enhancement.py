"""An enhanced scan, and the checks of one, as documents and as a page."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TypeAlias

from isocenter.data.enhancement import CheckReport, EnhancementReport, Flag, Measure
from isocenter.data.scores import QualityReport, ScanFacts
from isocenter.data.step import JSON
from isocenter.reports.html import render
from isocenter.reports.json import scan_facts, with_reasons

__all__ = [
    "MADE_BY",
    "MAY_INVENT",
    "SCHEMA_VERSION",
    "check_document",
    "document",
    "flag_text",
    "flag_texts",
    "page",
]

SCHEMA_VERSION = "1.0"
"""Changes in its first part when a reader of older documents would break."""
MADE_BY = "isocenter_enhance"
"""Key that marks a document as ours."""
MAY_INVENT = "may hide or invent lesions"
NOT_ASKED = "not asked for: --assess"
NO_NETWORK = "the method has no network"
MOST_FLAGS = 4
"""Regions of a kind that are told one by one."""
KINDS = {"changed": "changed more than they may", "inconsistent": "disagree with the scan"}
NAMES = {
    "mean_square": "agreement with the scan",
    "null_share": "detail that was not measured",
    "null_share_of_interpolated": "the same by cubic splines",
    "sigma": "noise of the scan",
    "snr_wm": "signal over noise, white matter",
    "snr_gm": "signal over noise, grey matter",
    "prior_distance": "distance from the scans learned from",
}
"""How a person calls the numbers of the checks."""
SHARES = ("null_share", "null_share_of_interpolated")

Document: TypeAlias = dict[str, JSON]


def document(report: EnhancementReport, outputs: Mapping[str, str]) -> Document:
    """The document of one enhanced scan; ``null`` always has a reason.

    Args:
        report: What was found out.
        outputs: Names of the files that were written, by what they hold.
    """
    facts = report.facts
    return with_reasons(
        {
            MADE_BY: report.versions["isocenter"],
            "schema_version": SCHEMA_VERSION,
            "subject": report.subject,
            "warning": f"research use, not for diagnosis: {MAY_INVENT}",
            "input": scan_facts(report.scan),
            "outputs": dict(outputs),
            "method": report.method,
            "options": dict(report.options),
            "ratio": report.ratio,
            "slices": report.plane,
            "assumed_thickness_mm": _rounded(report.thickness),
            "grid": {
                "shape": list(report.shape),
                "zooms": [round(mm, 4) for mm in report.spacing],
            },
            "facts": dict(facts),
            "checks": _checks(report.checks),
            "quality": None if report.quality is None else _quality(*report.quality),
            "notes": list(report.notes),
            "provenance": with_reasons(
                {
                    "versions": dict(report.versions),
                    "weights": facts.get("weights"),
                    "weights_sha256": facts.get("weights_sha256"),
                    "seed": report.seed,
                    "device": report.device,
                    "seconds": round(report.seconds, 3),
                    "peak_rss": report.peak_rss,
                },
                weights=NO_NETWORK,
                weights_sha256=NO_NETWORK,
            ),
        },
        assumed_thickness_mm="nothing could be checked",
        quality=NOT_ASKED,
    )


def check_document(
    checks: CheckReport, *, enhanced: ScanFacts, scan: ScanFacts, notes: tuple[str, ...]
) -> Document:
    """The document of ``isocenter check``."""
    return {
        "schema_version": SCHEMA_VERSION,
        "enhanced": scan_facts(enhanced),
        "scan": scan_facts(scan),
        "checks": _checks(checks),
        "notes": list(notes),
    }


def page(report: EnhancementReport) -> str:
    """One self-contained page with pictures."""
    return render(
        "enhancement.html.j2",
        ("page.css", "enhancement.css"),
        report=report,
        may_invent=MAY_INVENT,
        names=NAMES,
        shown=shown,
        regions=flag_texts(report.checks),
        data_uri=lambda png: f"data:image/png;base64,{base64.b64encode(png).decode()}",
    )


def shown(measure: Measure) -> str:
    """A number of the checks as a person reads it."""
    if measure.value is None:
        return "none"
    if measure.name in SHARES:
        return f"{100 * measure.value:.0f} %"
    return f"{measure.value:.3g}"


def flag_texts(checks: CheckReport, most: int = MOST_FLAGS) -> list[str]:
    """The largest regions of each kind in a few words, and how many more there are."""
    said = []
    for kind, what in KINDS.items():
        flags = [flag for flag in checks.flags if flag.kind == kind]
        said += [flag_text(flag) for flag in flags[:most]]
        if len(flags) > most:
            said.append(f"and {len(flags) - most} smaller regions that {what}")
    return said


def flag_text(flag: Flag) -> str:
    """A region in a few words."""
    where = ", ".join(f"{mm:.0f}" for mm in flag.centre)
    if flag.kind == "changed":
        return (
            f"slice {flag.slice}, {flag.n_voxels} voxels around ({where}) mm: changed "
            f"{abs(flag.peak):.1f} times what its uncertainty allows"
        )
    return (
        f"slice {flag.slice} of the scan, {flag.n_voxels} voxels around ({where}) mm: "
        f"{abs(flag.peak):.1f} standard deviations from what was measured"
    )


def _checks(checks: CheckReport) -> Document:
    values: dict[str, JSON] = {one.name: _rounded(one.value) for one in checks.measures}
    reasons = {one.name: one.why_missing for one in checks.measures if one.why_missing}
    why_prior = checks.missing.get("in_prior") or checks.missing.get("prior_distance")
    reasons["in_prior"] = why_prior or "not measured"
    return with_reasons(
        {
            **values,
            "in_prior": checks.in_prior,
            "flags": [_flag(one) for one in checks.flags],
            "warnings": list(checks.warnings),
            "assumed": dict(checks.assumed),
        },
        **reasons,
    )


def _flag(flag: Flag) -> Document:
    return {
        "kind": flag.kind,
        "n_voxels": flag.n_voxels,
        "centre_mm": [round(mm, 2) for mm in flag.centre],
        "slice": flag.slice,
        "peak": _rounded(flag.peak),
    }


def _quality(before: QualityReport, after: QualityReport) -> Document:
    return {name: _one_quality(one) for name, one in (("scan", before), ("enhanced", after))}


def _one_quality(report: QualityReport) -> Document:
    interval: JSON = None if report.interval is None else [_rounded(end) for end in report.interval]
    why = report.quality.why_missing or "the model gives no interval"
    return with_reasons(
        {
            "value": _rounded(report.score),
            "interval": interval,
            "verdict": report.verdict,
            "model": report.provenance.model,
            "model_sha256": report.provenance.model_sha256,
        },
        value=why,
        interval=why,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")
