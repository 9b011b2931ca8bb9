"""A comparison of methods as a document, a table and a page.

The document holds everything; the table and the page are made from it alone, so that they can
be made again from ``comparison.json``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from isocenter.data.step import JSON
from isocenter.reports.html import render
from isocenter.reports.tsv import cell
from isocenter.statistics.compared import LEVEL, Compared, Measured, Missing
from isocenter.statistics.comparison import Pairwise
from isocenter.version import __version__

__all__ = ["SCHEMA_VERSION", "document", "page", "table"]

SCHEMA_VERSION = "1.0"
"""Changes in its first part when a reader of older documents would break."""
RULE = (
    "Methods that share a letter are not told apart: the difference of their SROCC (Fisher's z), "
    "by a jackknife over references with Student's t, is not significant after Benjamini and "
    f"Hochberg's correction over all pairs, at a false discovery rate of {LEVEL:g}."
)
WHY_NULL = {
    "data_range": "the values were given",
    "images": "the table of ratings has none",
    "tests": "a method against itself, a correlation of 1 or -1, or one reference alone",
    "srocc_interval_by_reference": "one reference alone",
    "within_references": "fewer than two images, or all of one value or opinion",
    "by_artifact": "fewer than two images, or all of one value or opinion",
}
"""Why a number below these fields may be null."""
N_CURVE = 49
"""Points of a fitted curve."""

Document: TypeAlias = dict[str, Any]
"""Plain values, as ``json.loads`` gives them."""


def document(compared: Compared) -> Document:
    """Everything that was found out, as plain values without NaN; a null has its reason."""
    rated = compared.rated
    images = zip(
        rated.images,
        rated.references,
        rated.opinions,
        rated.deviation,
        rated.n_raters,
        rated.artifacts,
        strict=True,
    )
    fields = ("name", "reference", "mos", "deviation", "n_raters", "artifact")
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "comparison",
        "isocenter": __version__,
        "rule": RULE,
        "level": LEVEL,
        "data_range": compared.data_range,
        "n_images": len(rated.images),
        "n_references": rated.n_references,
        "notes": list(compared.notes),
        "best": list(compared.best),
        "groups": _groups(compared),
        "methods": [_method(method, compared) for method in compared.methods],
        "missing": list(map(_missing, compared.missing)),
        "failed_images": list(map(_missing, compared.failed)),
        "tests": {"jackknife": _tests(compared.tests), "f_test": _tests(compared.f_tests)},
        "images": [dict(zip(fields, image, strict=True)) for image in images],
        "reason_if_null": dict(WHY_NULL),
    }


COLUMNS = (
    "method", "kind", "better", "letters", "srocc", "srocc_low", "srocc_high",
    "srocc_low_by_reference", "srocc_high_by_reference", "srocc_within_references", "krocc",
    "plcc_raw", "plcc_fitted", "rmse", "outlier_ratio", "pairs_different_similar",
    "pairs_better_worse", "pairs_correct", "fit", "seconds", "why_missing",
)  # fmt: skip


def table(content: Document) -> str:
    """Tab-separated text with one line a method, best first; those that are missing last.

    Args:
        content: From :func:`document`, or read from its JSON.
    """
    artifacts = sorted({name for one in content["methods"] for name in one["by_artifact"]})
    lines: list[list[Any]] = [[*COLUMNS, *(f"srocc_{name}" for name in artifacts)]]
    lines += [_row(one, artifacts) for one in content["methods"]]
    blank = [None] * (len(lines[0]) - 1)
    for one in content["missing"]:
        lines.append([one["name"], *blank])
        lines[-1][COLUMNS.index("why_missing")] = one["why"]
    return "".join("\t".join(cell(value) for value in line) + "\n" for line in lines)


def page(content: Document) -> str:
    """One self-contained page.

    Args:
        content: From :func:`document`, or read from its JSON.
    """
    from isocenter.reports import _scatter

    artifacts = sorted({one["artifact"] for one in content["images"] if one["artifact"]})
    return render(
        "comparison.html.j2",
        ("page.css", "comparison.css"),
        content=content,
        artifacts=artifacts,
        plots=[_scatter.plot(one, content["images"], artifacts) for one in content["methods"]],
        matrix=_scatter.matrix(content["tests"], content["level"]),
        whisker=_scatter.whisker,
        listed=_listed,
    )


def _groups(compared: Compared) -> list[JSON]:
    """Every letter and its methods."""
    letters = {method.column.name: iter(method.letters) for method in compared.methods}
    groups: list[JSON] = []
    for group in compared.groups:
        # A method's letters come in the order of its groups.
        (letter,) = {next(letters[name]) for name in group}
        groups.append({"letter": letter, "methods": list(group)})
    return groups


def _method(method: Measured, compared: Compared) -> Document:
    column, found, pairs = method.column, method.agreement, method.pairs
    made: Document = {
        "name": column.name,
        "kind": column.kind,
        "better": column.better,
        "letters": list(method.letters),
        "srocc": _number(found.srocc),
        "srocc_interval": _numbers(method.interval),
        "srocc_interval_by_reference": _numbers(method.interval_by_reference),
        "krocc": _number(found.krocc),
        "plcc_raw": _number(found.plcc_raw),
        "plcc_fitted": _number(found.plcc_fitted),
        "rmse": _number(found.rmse),
        "outlier_ratio": _number(found.outliers.value),
        "pairs": None if pairs is None else {
            "different_similar": _number(pairs.different_similar),
            "better_worse": _number(pairs.better_worse),
            "correct": _number(pairs.correct),
        },
        "within_references": {"mean": _number(method.within.mean),
                              "values": _table(method.within.values)},
        "by_artifact": _table(method.by_artifact.values),
        "fit": _fit(method),
        "seconds": _number(column.seconds),
        "values": list(column.values),
    }  # fmt: skip
    reasons = {
        "outlier_ratio": found.outliers.why_missing,
        "pairs": compared.why_no_pairs,
        "plcc_fitted": "the fitted curve is flat",
        "seconds": "not measured: the values were given",
    }
    given = {name: why for name, why in reasons.items() if made[name] is None}
    return {**made, "reason_if_null": given}


def _fit(method: Measured) -> Document:
    """The curve, with scores as they were measured."""
    fit = method.agreement.fit
    sign = 1.0 if method.column.better == "higher" else -1.0
    scores = np.linspace(fit.low, fit.high, N_CURVE)
    points = zip(sign * scores, fit(scores), strict=True)
    return {
        "kind": fit.kind,
        "parameters": list(fit.parameters),
        "of": "values" if sign > 0 else "minus the values",
        "simpler_because": list(fit.why),
        "curve": [[_number(float(x)), _number(float(y))] for x, y in points],
    }


def _missing(one: Missing) -> Document:
    return {"name": one.name, "why": one.why}


def _tests(tests: Pairwise) -> Document:
    matrices = {"statistic": tests.statistic, "p": tests.p, "adjusted": tests.adjusted}
    return {
        "methods": list(tests.names),
        **{name: [_numbers(row) for row in matrix] for name, matrix in matrices.items()},
    }


def _table(values: Mapping[str, float]) -> Document:
    return {name: _number(value) for name, value in values.items()}


def _numbers(values: Iterable[float]) -> list[JSON]:
    return [_number(float(value)) for value in values]


def _number(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}") + 0.0  # no minus zero


def _row(one: Document, artifacts: list[str]) -> list[Any]:
    pairs = one["pairs"] or {}
    return [
        one["name"],
        one["kind"],
        one["better"],
        " ".join(one["letters"]),
        one["srocc"],
        *one["srocc_interval"],
        *one["srocc_interval_by_reference"],
        one["within_references"]["mean"],
        one["krocc"],
        one["plcc_raw"],
        one["plcc_fitted"],
        one["rmse"],
        one["outlier_ratio"],
        pairs.get("different_similar"),
        pairs.get("better_worse"),
        pairs.get("correct"),
        one["fit"]["kind"],
        one["seconds"],
        None,
        *(one["by_artifact"].get(name) for name in artifacts),
    ]


def _listed(names: list[str]) -> str:
    """Names as in ``a, b and c``.

    >>> _listed(["a", "b", "c"]), _listed(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
