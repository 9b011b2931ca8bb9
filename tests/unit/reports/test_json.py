"""The result document follows its schema, holds no NaN, and explains every null."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from isocenter.data.scores import Domain, QualityReport, Score
from isocenter.data.step import Step
from isocenter.reports import json as results
from isocenter.reports.series import Series, VolumeResult, median_volume
from tests.unit.reports.made import NO_QUALITY, findings, made_report, opinions

VALIDATOR = jsonschema.Draft202012Validator(results.schema())
ROOT = Path(__file__).parents[3]


def written(report: QualityReport, series: Series | None = None) -> dict[str, Any]:
    text = results.dump(results.document(report, series))
    loaded: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    return loaded


def objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner)


BARE = made_report(
    scores=(NO_QUALITY, Score("odd", math.nan, None, "lower", -math.inf, math.inf)),
    artifacts=(),
    strips=(),
    views=(),
    notes=(),
    domain=Domain(False, math.inf, 3.0, "it looks like a phantom"),
    history=(Step("blur", {"width": 2.0}, None),),
)
SEVERAL = made_report(opinions=opinions())
OLD = made_report("odd\nname\udcff.nii.gz")


def series_of(*values: float | None) -> Series:
    volumes = tuple(
        VolumeResult(
            index,
            NO_QUALITY if value is None else Score("quality", value, None, "higher", 0.0, 100.0),
            findings(),
        )
        for index, value in enumerate(values)
    )
    return Series(median_volume(volumes) or 0, volumes)


@pytest.mark.parametrize(
    "report", [made_report(), BARE, OLD, SEVERAL], ids=["full", "bare", "odd-name", "models"]
)
@pytest.mark.parametrize("series", [None, series_of(40.0, None, 60.0), series_of(None, None)])
def test_every_document_follows_the_schema(report: QualityReport, series: Series | None) -> None:
    VALIDATOR.validate(written(report, series))


@pytest.mark.parametrize("report", [made_report(), BARE], ids=["full", "bare"])
def test_every_null_has_a_reason_and_every_reason_a_null(report: QualityReport) -> None:
    for found in objects(written(report, series_of(None, 50.0))):
        nulls = {name for name, value in found.items() if value is None}
        if isinstance(found.get("severity"), list) and None in found["severity"]:
            nulls.add("severity")
        assert set(found.get("reason_if_null", {})) == nulls


def test_the_schema_is_a_schema_and_refuses_what_is_wrong() -> None:
    jsonschema.Draft202012Validator.check_schema(results.schema())
    for wrong in (
        {"schema_version": "2.0"},
        {"score": {"value": 162.0}},
        {"extra": 1},
        {"artifacts": [{"name": "motion"}]},
    ):
        assert not VALIDATOR.is_valid({**written(made_report()), **wrong})


def test_the_values_are_the_reports() -> None:
    document = written(made_report())
    assert document["score"]["value"] == 62.3449
    assert document["score"]["interval"] == [55.02, 68.4]
    assert document["input"]["zooms"] == [1.0, 1.0, 1.2]
    motion = document["artifacts"][0]
    assert (motion["name"], motion["level"], motion["probability"]) == ("motion", 3, 0.8312)
    assert motion["slices"][0] == {"plane": "axial", "first": 88, "last": 97}
    assert [step["name"] for step in document["history"]] == ["motion"]
    assert document["metrics"]["fwhm"]["reason_if_null"]["value"] == "no air around the head"


def test_each_model_is_heard() -> None:
    hsfnet, miqanet, hysnet = written(SEVERAL)["models"]
    assert (hsfnet["agrees"], miqanet["agrees"], hysnet["agrees"]) == (None, False, True)
    assert hsfnet["reason_if_null"]["agrees"]
    assert (hysnet["estimates"], hysnet["score"]["value"]) == ("snr", 7.25)
    assert "models" not in written(made_report())


def test_same_report_same_bytes_and_sorted_keys() -> None:
    text = results.dump(results.document(made_report()))
    assert text == results.dump(results.document(made_report()))
    keys = list(json.loads(text))
    assert keys == sorted(keys)


def test_compact_is_one_line() -> None:
    text = results.dump(results.document(OLD), compact=True)
    assert text.count("\n") == 1
    assert json.loads(text)["input"]["name"] == "odd\nname\\udcff.nii.gz"


def test_the_median_volume_is_a_real_one() -> None:
    assert median_volume(series_of(10.0, 30.0, None, 20.0, 40.0).volumes) == 3
    assert median_volume(series_of(None, None).volumes) is None
    assert series_of(10.0, 5.0, None).lowest == series_of(10.0, 5.0, None).volumes[1]


def test_the_reference_page_names_every_field() -> None:
    page = (ROOT / "docs/reference/result-schema.md").read_text()
    properties = results.schema()["properties"]
    assert isinstance(properties, dict)
    for name in properties:
        assert f"| `{name}` |" in page
    assert f'"{results.SCHEMA_VERSION}"' in page
