"""``isocenter assess`` from command to report, on made heads and on real scans."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import nibabel
import numpy as np
import pytest

import isocenter as iso
from isocenter.reports.json import schema
from tests.e2e.conftest import Command, made_head, save

pytestmark = [pytest.mark.usefixtures("weights"), pytest.mark.timeout(240)]

VALIDATOR = jsonschema.Draft202012Validator(schema())


def result(folder: Path, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / f"{name}_quality.json").read_text())
    VALIDATOR.validate(document)
    return document


def timeless(document: dict[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in document["provenance"].items() if k not in ("seconds", "peak_rss")}
    return {**document, "provenance": kept}


def test_a_made_head(command: Command, head: Path, tmp_path: Path) -> None:
    run = command("assess", head)
    assert run.code == 0, run.err
    document = result(tmp_path, "head_T1w")
    assert document["input"]["shape"] == [96, 112, 96]
    assert document["input"]["modality"] == "T1w"
    assert run.out.startswith("head_T1w.nii.gz   T1w, 2.0 x 2.0 x 2.0 mm, 3-D")
    page = (tmp_path / "head_T1w_quality.html").read_text()
    assert document["verdict"] in page.replace("&#39;", "'")


def test_one_and_two_workers_agree_and_a_bad_file_stops_nobody(
    command: Command, tmp_path: Path
) -> None:
    for i in range(3):
        save(made_head(0.01 + 0.03 * i), tmp_path / f"in/{i}.nii")
    (tmp_path / "in/bad.nii.gz").write_bytes(b"no scan at all")
    for workers in (1, 2):
        run = command("assess", "in", "--workers", workers, "--out", f"out{workers}")
        assert run.code == 3, run.err
        assert run.err.splitlines()[-1] == "done: 3 ok, 1 failed"
        assert [line.split()[0] for line in run.out.splitlines() if line[0] != " "] == [
            "0.nii", "1.nii", "2.nii",
        ]  # fmt: skip
    for i in range(3):
        one, two = (result(tmp_path / f"out{workers}", str(i)) for workers in (1, 2))
        assert timeless(one) == timeless(two)
    assert not (tmp_path / "out1/bad_quality.json").exists()


def test_several_models_say_where_they_differ(command: Command, head: Path, tmp_path: Path) -> None:
    run = command("assess", head, "--model", "ensemble")
    assert run.code == 0, run.err
    document = result(tmp_path, "head_T1w")
    assert [one["name"] for one in document["models"]] == ["hsfnet", "miqanet", "hysnet"]
    assert [one["estimates"] for one in document["models"]] == [
        "quality",
        "quality",
        "snr_estimated",
    ]
    assert document["provenance"]["model"] == "ensemble"
    assert len(document["artifacts"]) == 6
    differing = [one["name"] for one in document["models"] if one["agrees"] is False]
    assert bool(differing) == any("differ: look at the scan" in note for note in document["notes"])
    assert "  models    hsfnet" in run.out
    assert "What each model says" in (tmp_path / "head_T1w_quality.html").read_text()


@pytest.mark.parametrize("model", ["hysnet", "miqanet"])
def test_one_model_alone(command: Command, head: Path, tmp_path: Path, model: str) -> None:
    run = command("assess", head, "--model", model)
    assert run.code == 0, run.err
    document = result(tmp_path, "head_T1w")
    assert document["provenance"]["model"] == model
    assert document["artifacts"] == []
    if document["domain"]["in_domain"]:
        value = {"miqanet": document["score"], "hysnet": document["metrics"].get("snr_estimated")}
        assert value[model]["value"] > 0
        assert (document["score"]["value"] is None) == (model == "hysnet")


def test_the_gate(command: Command, head: Path) -> None:
    assert command("assess", head, "--fail-below", 0, "--quiet").code in (0, 10)
    run = command("assess", head, "--fail-below", 100)
    assert run.code == 10
    assert "--fail-below" in run.err


def test_a_file_with_volumes(command: Command, tmp_path: Path) -> None:
    volumes = [made_head(noise) for noise in (0.01, 0.2, 0.06)]
    save(np.stack(volumes, -1), tmp_path / "four.nii.gz")
    run = command("assess", "four.nii.gz")
    assert run.code == 0, run.err
    document = result(tmp_path, "four")
    assert document["volumes"]["count"] == 3
    assert "volumes   3 in the file" in run.out
    single = command("assess", "four.nii.gz", "--volume", 1, "--out", "one")
    assert single.code == 0, single.err
    alone = result(tmp_path / "one", "four")
    assert "volumes" not in alone
    assert alone["score"]["value"] == document["volumes"]["items"][1]["value"]


@contextlib.contextmanager
def hearing_ctrl_c() -> Iterator[None]:
    """A shell lets what it runs in the background ignore the key, and children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_keeps_what_is_finished_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    for i in range(40):
        save(made_head(0.01 + 0.001 * i), tmp_path / f"in/{i:02}.nii")
    words = [
        sys.executable,
        "-m",
        "isocenter.cli",
        "assess",
        "in",
        "--out",
        "out",
        "--workers",
        "2",
    ]
    with hearing_ctrl_c():
        process = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 100
    while not list((tmp_path / "out").glob("*.json")):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in told
    assert "Traceback" not in told
    finished = sorted((tmp_path / "out").glob("*.json"))
    assert 0 < len(finished) < 40
    for path in finished:
        VALIDATOR.validate(json.loads(path.read_text()))


def test_the_demo(command: Command, tmp_path: Path) -> None:
    run = command("demo")
    assert run.code == 0, run.err
    folder = tmp_path / "isocenter-demo"
    assert "isocenter-demo/demo.html" in run.out
    clean, moved = result(folder, "sample_T1w"), result(folder, "sample_T1w_motion")
    assert clean["score"]["value"] > moved["score"]["value"]
    found = [one["name"] for one in moved["artifacts"] if one["found"]]
    assert "motion" in found
    assert (folder / "demo.html").read_text().count("<article") == 2


def test_an_array_of_reports_from_python(head: Path, tmp_path: Path) -> None:
    report = iso.assess(head)
    path = iso.report([report, report], to=tmp_path / "both.json")
    for document in json.loads(path.read_text()):
        VALIDATOR.validate(document)


@pytest.mark.data
def test_a_real_brain_in_time_and_memory(command: Command, data_root: Path, tmp_path: Path) -> None:
    scan = data_root / "brains" / "sub-01_T1w.nii.gz"
    runs = [command("assess", scan) for _ in range(2)]
    assert all(run.code == 0 for run in runs), runs[0].err
    assert min(run.wall for run in runs) < 8  # 4 s on an idle machine; tests share theirs
    assert max(run.peak for run in runs) < 1.5e9
    document = result(tmp_path, "sub-01_T1w")
    assert document["domain"]["in_domain"]
    assert 0 <= document["score"]["value"] <= 100


@pytest.mark.data
def test_a_folder_of_dicom(command: Command, data_root: Path, tmp_path: Path) -> None:
    run = command("assess", data_root / "dicom" / "head_T1w")
    assert run.code == 0, run.err
    document = result(tmp_path, "head_T1w")
    assert document["input"]["format"] == "DICOM"
    assert len(document["input"]["shape"]) == 3


@pytest.mark.data
def test_one_scan_in_many_forms_has_one_score(
    command: Command, data_root: Path, tmp_path: Path
) -> None:
    source = data_root / "brains" / "sub-01_T1w.nii.gz"
    shutil.copy(source, tmp_path / "a_gz.nii.gz")
    (tmp_path / "b_plain.nii").write_bytes(gzip.decompress(source.read_bytes()))
    image = nibabel.load(source)
    big = nibabel.Nifti1Image(
        np.asarray(image.dataobj), image.affine, image.header.as_byteswapped()
    )
    nibabel.save(big, tmp_path / "c_big.nii")
    turned = image.as_reoriented([[1, 1], [0, -1], [2, -1]])
    nibabel.save(turned, tmp_path / "d_turned.nii")
    stored = np.asarray(image.dataobj) * 2 + 6  # other numbers for the same brightness
    sloped = nibabel.Nifti1Image(stored.astype(np.int16), image.affine)
    sloped.header.set_slope_inter(0.5, -3)
    nibabel.save(sloped, tmp_path / "e_slope.nii")
    assert command("assess", ".", "--no-report").code == 0
    names = ("a_gz", "b_plain", "c_big", "d_turned", "e_slope")
    values = [result(tmp_path, name)["score"]["value"] for name in names]
    assert max(values) - min(values) <= 1e-4
    assert len({result(tmp_path, name)["input"]["sha256"] for name in names}) == 5
