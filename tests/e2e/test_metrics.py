"""``isocenter metrics`` and ``assess --measures`` from command to page, in real processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import isocenter as iso
from isocenter.datasets import mriqc, sample
from isocenter.datasets.mriqc import MEASURES
from isocenter.reports.json import schema, schema_of_metrics
from tests.e2e.conftest import Command, made_head, run_python, save

pytestmark = pytest.mark.timeout(300)

VALIDATOR = jsonschema.Draft202012Validator(schema_of_metrics())
AIR = {"cnr", "fber", "qi_1", "qi_2", "snrd_total", "summary_bg_mean"}


def documents(text: str) -> list[dict[str, Any]]:
    loaded = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
    for one in loaded:
        VALIDATOR.validate(one)
    return loaded


def test_a_bad_file_is_refused_before_torch_is_imported(tmp_path: Path) -> None:
    (tmp_path / "empty.nii.gz").write_bytes(b"")
    code = (
        "import sys\n"
        "from isocenter.cli._app import run\n"
        "code = run(['metrics', 'empty.nii.gz'])\n"
        "print(code, 'torch' in sys.modules)\n"
    )
    run = run_python("-c", code, cwd=tmp_path)
    assert run.out == "3 False\n"
    assert run.err.startswith("empty.nii.gz: ")


def test_a_comparison_with_one_and_two_workers(command: Command, tmp_path: Path) -> None:
    clean = save(made_head(0.0), tmp_path / "clean.nii.gz")
    for i in range(3):
        save(made_head(0.01 + 0.03 * i), tmp_path / f"in/{i}.nii")
    options = ("--reference", clean, "--json", "--only", "psnr,ssim,haarpsi,vif,gmsd")
    one, two = (command("metrics", "in", *options, "--workers", n) for n in (1, 2))
    assert (one.code, two.code) == (0, 0), one.err + two.err
    assert one.out == two.out
    found = documents(one.out)
    for name, rising in (("psnr", False), ("ssim", False), ("haarpsi", False), ("gmsd", True)):
        values = [document["metrics"][name]["value"] for document in found]
        assert values == sorted(values, reverse=not rising)
    assert found[0]["comparison"]["how"]["vif"].endswith("axial slices, cropped")
    assert found[0]["comparison"]["where"] == "inside the reference's head"


@pytest.mark.slow
def test_the_sample_scan_is_measured_and_what_it_lacks_has_a_reason(
    command: Command, tmp_path: Path
) -> None:
    scan = sample.path()
    run = command("metrics", scan, "--out", "out", "--definition", "mriqc-0.15", "--json")
    assert run.code == 0, run.err
    [document] = documents(run.out)
    metrics = document["metrics"]
    assert set(metrics) == set(MEASURES)
    assert all(metrics[name]["value"] is None for name in AIR)
    assert "skull-stripped" in metrics["cnr"]["reason_if_null"]["value"]
    assert 0.2 < metrics["cjv"]["value"] < 0.7
    assert metrics["cjv"]["population"]["name"] == "abide"
    assert document["ratings"]["abide"]["probability"] is None
    [kept] = mriqc.read(tmp_path / "out" / "group_T1w.tsv")
    assert kept.name == "sample_T1w"
    assert kept.definition == "mriqc-0.15"
    assert kept.measures["cjv"] == pytest.approx(metrics["cjv"]["value"], rel=1e-4)
    assert kept.measures["cnr"] is None
    again = command("metrics", "out/sample_T1w.json", "--json")
    assert again.code == 0, again.err
    [read] = documents(again.out)
    assert read["metrics"]["cjv"]["percentile"] == metrics["cjv"]["percentile"]


@pytest.mark.slow
@pytest.mark.usefixtures("weights")
def test_assess_adds_the_measures_when_asked(command: Command, tmp_path: Path) -> None:
    run = command("assess", sample.path(), "--measures")
    assert run.code == 0, run.err
    assert "  measures  49 of 68 (corrected)" in run.out
    document = json.loads((tmp_path / "sample_T1w_quality.json").read_text())
    jsonschema.Draft202012Validator(schema()).validate(document)
    assert set(document["metrics"]) == set(MEASURES)
    assert document["provenance"]["measures"] == "corrected"
    assert document["metrics"]["cnr"]["reason_if_null"]["value"]
    page = (tmp_path / "sample_T1w_quality.html").read_text()
    assert "No percentiles: population" in page


@pytest.mark.slow
@pytest.mark.usefixtures("weights")
def test_python_gives_the_same_measures() -> None:
    whole = iso.read(sample.path())
    affine = whole.affine @ np.diag([2.0, 2.0, 2.0, 1.0])
    scan = iso.Volume(whole.data[::2, ::2, ::2].contiguous(), affine, "T1w")
    scores = {score.name: score.value for score in iso.measure(scan)}
    report = iso.assess(scan, measures=True, reference=scan)
    assert {name: report.metrics[name].value for name in scores} == scores
    assert {"psnr", "ssim", "nmse", "gmsd", "hfen"} == set(report.metrics) - set(scores)
    assert report.metrics["psnr"].why_missing == "identical to the reference"
