"""``isocenter compare`` in a real process, its page in a browser, and a truth that it finds."""

from __future__ import annotations

import itertools
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import isocenter as iso
from isocenter.study import compare
from isocenter.study.rated_standin import make_standin
from tests.e2e.conftest import Command
from tests.e2e.test_report_in_browser import BROWSER, corner, open_in_browser, requests
from tests.unit.study.rated import write_rated

METHODS = "psnr,mse,ssim,gmsd,image_mean"


@pytest.mark.timeout(300)
def test_rated_images_in_and_groups_out(command: Command, tmp_path: Path) -> None:
    write_rated(tmp_path / "set", n_references=4)
    run = command("compare", "set/ratings.csv", "set/images", "--methods", METHODS, "--workers", 2)
    assert run.code == 0, run.err
    assert run.err == ""
    lines = run.out.splitlines()
    assert lines[0].startswith("5 measures on 20 images of 4 references")
    letters = {line.split()[1]: line.split()[0] for line in lines[1:6]}
    assert letters["psnr"] == letters["mse"]  # one order of images
    document = json.loads((tmp_path / "comparison/comparison.json").read_text())
    assert {m["name"] for m in document["methods"]} == set(METHODS.split(","))
    again = command("compare", "set/ratings.csv", "set/images", "--methods", METHODS)
    assert again.out == run.out


@pytest.mark.timeout(300)
def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    ratings, images = write_rated(tmp_path / "set", n_references=6, n_distorted=20)
    words = ["-m", "isocenter.cli", "compare", str(ratings), str(images), "--methods", "mad,ssim"]
    table = tmp_path / "comparison/values.tsv"
    process = subprocess.Popen([sys.executable, *words], cwd=tmp_path)
    start = time.monotonic()
    while not table.exists() and process.poll() is None and time.monotonic() - start < 200:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = table.read_text().splitlines()
    assert len(kept) > 1
    run = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "on 120 images" in run.stdout
    assert set(kept) <= set(table.read_text().splitlines())


@pytest.mark.skipif(BROWSER is None, reason="no Chromium: apt-get install chromium")
@pytest.mark.timeout(180)
def test_the_browser_shows_the_page_and_asks_nobody(command: Command, tmp_path: Path) -> None:
    write_rated(tmp_path / "set")
    run = command("compare", "set/ratings.csv", "set/images", "--methods", METHODS)
    assert run.code == 0, run.err
    page = tmp_path / "comparison/comparison.html"
    document = open_in_browser(page, tmp_path, "--dump-dom")
    assert "<h1>5 measures on 15 rated images</h1>" in document
    assert document.count("<figure>") == 5
    assert len(re.findall(r'<path class="dots', document)) == 5 * 2
    assert requests(page, tmp_path) == 0
    picture = tmp_path / "page.png"
    open_in_browser(page, tmp_path, f"--screenshot={picture}", "--window-size=900,900")
    assert corner(picture) == (246, 246, 243)  # the style is not blocked


REAL = {
    "brain": "brains/sub-01_T1w.nii.gz",
    "brain_2": "brains/sub-41_T1w.nii.gz",
    "brain_3": "brains/sub-30_T1w.nii.gz",
    "head": "dicom/head_T1w",
    "spine": "spine/t2s_t2s_uncropped.nii.gz",
    "ms": "ms/patient-03_visit-1_FLAIR.nii.gz",
    "lesions": "ms/mni_patient-07_T2.nii.gz",
    "glioma": "heads/glioma_T1c.nii.gz",
}


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_order_that_simulated_observers_imply_is_found(data_root: Path, tmp_path: Path) -> None:
    scans = {name: iso.read(data_root / file) for name, file in REAL.items()}
    rated = make_standin(scans, tmp_path, rng=iso.generator(1), measure="gmsd")
    truth = json.loads((tmp_path / "truth.json").read_text())
    compared = compare(
        rated,
        rng=np.random.default_rng(0),
        methods="gmsd,psnr,mse,ssim,noise_estimate,image_mean",
        data_range="reference",  # as the observers see it
        own={f"noise {sd}": truth["rulers"][sd] for sd in ("0.5", "1", "2")},
    )
    order = [method.column.name for method in compared.methods]
    letters = {method.column.name: set(method.letters) for method in compared.methods}
    assert order[0] == "gmsd"
    assert compared.best == ("gmsd",)
    assert order.index("noise 0.5") < order.index("noise 1") < order.index("noise 2")
    ruler = ["gmsd", "noise 0.5", "noise 1", "noise 2"]
    for better, worse in itertools.pairwise(ruler):
        assert not letters[better] & letters[worse], (better, worse)
    assert letters["psnr"] == letters["mse"]
    equal = ~compared.tests.differs() & ~np.eye(len(order), dtype=bool)
    assert equal.any()
    assert order[-1] == "image_mean"
