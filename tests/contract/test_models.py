"""Every model that ``assess`` can use, through one battery. A new file is found by itself."""

from __future__ import annotations

import dataclasses
import inspect
import math

import pytest
import torch

import isocenter as iso
from isocenter import registry
from isocenter.data.scores import QualityReport
from isocenter.errors import UnknownName
from tests.contract._phantom import head

NAMES = registry.models.names()
every_model = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def reports() -> dict[str, QualityReport]:
    return {name: iso.assess(head((96, 96, 80), (2, 2, 2)), model=name) for name in NAMES}


def test_there_is_a_model() -> None:
    assert "hsfnet" in NAMES


def test_a_mistyped_model_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'hsfnet'"):
        iso.assess(head((24, 24, 24)), model="hsfnett")


@every_model
def test_a_model_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(registry.models.get(name))


@every_model
def test_a_score_lies_in_its_range_or_has_a_reason(
    name: str, reports: dict[str, QualityReport]
) -> None:
    for score in reports[name].scores:
        assert (score.value is None) == (score.why_missing is not None)
        if score.value is not None:
            assert math.isfinite(score.value)
            assert score.low <= score.value <= score.high
        if score.interval is not None and score.value is not None:
            assert score.interval[0] <= score.value <= score.interval[1]


@every_model
def test_findings_are_known_artifacts_most_probable_first(
    name: str, reports: dict[str, QualityReport]
) -> None:
    findings = reports[name].artifacts
    assert {finding.name for finding in findings} <= set(registry.artifacts.names())
    assert len({finding.name for finding in findings}) == len(findings)
    probabilities = [finding.probability for finding in findings]
    assert probabilities == sorted(probabilities, reverse=True)
    assert all(0 <= finding.probability <= 1 for finding in findings)
    assert all(1 <= finding.level <= 4 and 0 <= finding.severity <= 1 for finding in findings)


@every_model
def test_slices_and_pictures_lie_in_the_scan(name: str, reports: dict[str, QualityReport]) -> None:
    sides = dict(zip(("sagittal", "coronal", "axial"), (96, 96, 80), strict=True))
    report = reports[name]
    ranges = [part for finding in report.artifacts for part in finding.slices]
    assert all(0 <= part.first <= part.last < sides[part.plane] for part in ranges)
    assert all(0 <= view.index < sides[view.plane] for view in report.views)
    assert all(view.png.startswith(b"\x89PNG\r\n\x1a\n") for view in report.views)
    assert all(len(strip.severity) == sides[strip.plane] for strip in report.strips)


@every_model
def test_a_report_says_what_made_it(name: str, reports: dict[str, QualityReport]) -> None:
    provenance = reports[name].provenance
    assert provenance.model
    assert len(provenance.model_sha256) == 64
    assert provenance.device == "cpu" or torch.cuda.is_available()


@every_model
def test_a_second_look_gives_the_same_report_but_for_time(
    name: str, reports: dict[str, QualityReport]
) -> None:
    again = iso.assess(head((96, 96, 80), (2, 2, 2)), model=name)
    assert timeless(again) == timeless(reports[name])


def timeless(report: QualityReport) -> QualityReport:
    provenance = dataclasses.replace(report.provenance, seconds=0.0, peak_rss=0)
    return dataclasses.replace(report, provenance=provenance)
