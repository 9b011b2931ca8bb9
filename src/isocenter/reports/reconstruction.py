"""A reconstruction as a document and as a page."""

from __future__ import annotations

import base64
from typing import TypeAlias

from isocenter.data.reconstruction import ReconstructedSlice, ReconstructionReport
from isocenter.data.step import JSON
from isocenter.reports.html import render
from isocenter.reports.json import metric, with_reasons

__all__ = ["SCHEMA_VERSION", "document", "page"]

SCHEMA_VERSION = "1.0"
"""Changes in its first part when a reader of older documents would break."""
NO_REFERENCE = "nothing to compare with: the file is not fully sampled and no --reference was given"
NO_NETWORK = "the method has no network"
NO_MAPS = "the method has no coil maps"

Document: TypeAlias = dict[str, JSON]


def document(report: ReconstructionReport) -> Document:
    """The document of one reconstruction; ``null`` always has a reason."""
    read = next((step for step in report.history if step.name == "read"), None)
    metrics: JSON = {score.name: metric(score) for score in report.scores}
    return with_reasons(
        {
            "schema_version": SCHEMA_VERSION,
            "subject": report.subject,
            "input": {**({} if read is None else read.params), "sha256": report.sha256},
            "method": report.method,
            "options": dict(report.options),
            "coils": report.n_coils,
            "grid": list(report.grid),
            "true_acceleration": round(report.true_acceleration, 4),
            "acs": list(report.acs),
            "mask": report.mask_origin,
            "evaluations": report.evaluations,
            "data_residual": _rounded(report.residual),
            "metrics": metrics,
            "definitions": dict(report.definitions),
            "reference": report.reference,
            "slices": [_slice(one) for one in report.slices],
            "notes": list(report.notes),
            "provenance": with_reasons(
                {
                    "isocenter": report.isocenter,
                    "model_sha256": report.model_sha256,
                    "seed": report.seed,
                    "device": report.device,
                    "seconds": round(report.seconds, 3),
                },
                model_sha256=NO_NETWORK,
            ),
        },
        data_residual=NO_MAPS,
        reference=NO_REFERENCE,
    )


def page(report: ReconstructionReport) -> str:
    """One self-contained page with pictures."""
    return render(
        "reconstruction.html.j2",
        ("page.css", "reconstruction.css"),
        report=report,
        data_uri=lambda png: f"data:image/png;base64,{base64.b64encode(png).decode()}",
    )


def _slice(one: ReconstructedSlice) -> Document:
    return with_reasons(
        {
            "index": one.index,
            "seconds": round(one.seconds, 3),
            "data_residual": _rounded(one.residual),
            "facts": dict(one.facts),
        },
        data_residual=NO_MAPS,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
