"""Measures in groups, in words, and on the page."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jsonschema
import pytest

from isocenter.data.scores import Percentile, QualityReport, Score
from isocenter.reports import json as results
from isocenter.reports import measures as tables
from isocenter.reports.html import page
from tests.unit.reports.made import QUALITY, made_report
from tests.unit.reports.test_html import Outline

BAND = (0.25, 0.6)


def placed(name: str, value: float, percentile: float, better: Any) -> Score:
    place = Percentile(percentile, "abide", 1101, BAND)
    return Score(name, value, None, better, 0.0, math.inf, percentile=place)


def absent(name: str, reason: str) -> Score:
    return Score(name, None, None, "higher", 0.0, math.inf, why_missing=reason)


NOT_PLACED = Percentile(None, None, 0, None, "population 'abide' is T1w, the scan T2w")
SCORES = (
    Score("psnr", 33.9, "dB", "higher", -math.inf, math.inf, compared=True),
    placed("cjv", 0.9, 99.5, "lower"),
    placed("snr_wm", 20.0, 52.0, "higher"),
    placed("inu_med", 0.2, 2.0, None),
    Score("summary_wm_mean", 1001.2, "WM/1000", None, 0.0, math.inf),
    Score("summary_wm_n", 260052.0, "voxels", None, 0.0, math.inf),
    Score("size_x", 176.0, "voxels", None, 1.0, math.inf),
    absent("qi_1", "the scan is skull-stripped"),
    absent("snrd_csf", "the scan is skull-stripped"),
    absent("snrd_gm", "the scan is skull-stripped"),
    absent("tpm_overlap_gm", "no template was given"),
    Score("from_elsewhere", 1.5, None, "lower", 0.0, math.inf),
)


def measured_report(*scores: Score) -> QualityReport:
    report = made_report(scores=(QUALITY, *scores))
    made_by = dataclasses.replace(report.provenance, measures="mriqc-0.15")
    return dataclasses.replace(report, provenance=made_by)


def test_every_score_is_shown_once() -> None:
    grouped = {group.title: [one.name for one in group.scores] for group in tables.groups(SCORES)}
    assert grouped == {
        "against the reference": ["psnr"],
        "signal and noise": ["cjv", "snr_wm"],
        "shading": ["inu_med"],
        "other": ["from_elsewhere"],
    }
    assert tables.matrix(SCORES) == {"wm": {"mean": 1001.2, "n": 260052.0}}
    assert [(gap.names, gap.reason) for gap in tables.missing(SCORES)] == [
        (("qi_1", "snrd_csf", "snrd_gm"), "the scan is skull-stripped"),
        (("tpm_overlap_gm",), "no template was given"),
    ]


def test_a_region_without_any_value_is_no_row() -> None:
    assert tables.matrix([absent("summary_bg_mean", "x"), absent("summary_bg_n", "x")]) == {}


@pytest.mark.parametrize(
    ("percentile", "better", "odd"),
    [(2.0, "higher", True), (2.0, "lower", False), (98.0, "lower", True), (98.0, "higher", False),
     (98.0, None, True), (2.0, None, True), (50.0, None, False)],
)  # fmt: skip
def test_only_the_worse_side_is_odd(percentile: float, better: Any, odd: bool) -> None:
    assert tables.is_odd(placed("cjv", 1.0, percentile, better)) is odd


def test_why_there_are_no_percentiles() -> None:
    plain = dataclasses.replace(SCORES[1], percentile=NOT_PLACED)
    assert tables.why_not_placed([plain]) == NOT_PLACED.why_missing
    assert tables.why_not_placed(SCORES) is None  # some have one
    assert tables.why_not_placed(SCORES[:1]) is None  # none was asked for


def test_the_page_shows_values_bands_and_reasons() -> None:
    outline = Outline(page([measured_report(*SCORES)]))
    for told in ("cjv", "0.9000", "> 99th", "0.2500 to 0.6000", "260052", "33.90", "1101 scans"):
        assert told in outline.text
    assert "qi_1, snrd_* no value: the scan is skull-stripped" in " ".join(outline.text.split())
    assert ("rect", "class", "odd") in outline.attributes
    titles = [value for tag, name, value in outline.attributes if (tag, name) == ("td", "title")]
    assert {"higher is better", "lower is better"} == set(titles)


def test_a_page_without_percentiles_says_why() -> None:
    plain = dataclasses.replace(SCORES[1], percentile=NOT_PLACED)
    text = page([measured_report(plain)])
    assert "5 % to 95 %" not in text
    assert "No percentiles: population &#39;abide&#39; is T1w, the scan T2w." in text


def test_a_name_or_reason_of_another_package_is_escaped() -> None:
    evil = "<img src=x onerror=alert(1)>"
    scores = (Score(evil, 1.0, evil, "lower", 0.0, 1.0), absent("x", evil))
    assert evil not in page([measured_report(*scores)])


def test_the_document_holds_percentile_and_population() -> None:
    document: Any = results.document(measured_report(*SCORES))
    jsonschema.Draft202012Validator(results.schema()).validate(document)
    assert document["provenance"]["measures"] == "mriqc-0.15"
    cjv = document["metrics"]["cjv"]
    assert cjv["percentile"] == 99.5
    assert cjv["population"] == {"name": "abide", "n": 1101, "low": 0.25, "high": 0.6}
    assert "percentile" not in document["metrics"]["psnr"]
    assert document["score"]["reference"] == {"metrics": ["psnr"]}


def test_a_missing_percentile_has_its_reason() -> None:
    metric: Any = results.metric(dataclasses.replace(SCORES[1], percentile=NOT_PLACED))
    assert metric["percentile"] is None
    assert metric["reason_if_null"]["percentile"] == NOT_PLACED.why_missing
    assert metric["reason_if_null"]["population"] == NOT_PLACED.why_missing


def test_a_document_of_the_first_version_is_still_valid() -> None:
    document: Any = results.document(made_report())
    document["schema_version"] = "1.0"
    jsonschema.Draft202012Validator(results.schema()).validate(document)
