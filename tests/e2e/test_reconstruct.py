"""``isocenter reconstruct`` and ``compare-recon`` in real processes, on a real file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from isocenter.data.io import write_kspace_hdf5
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.restorers import acquire, undersample
from tests.e2e.conftest import Command
from tests.e2e.test_report_in_browser import BROWSER, open_in_browser


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two slices of a phantom by four coils, all of k-space."""
    scan = head_phantom((48, 56, 20), 2.0)
    kspace = acquire(scan, mask="full", acceleration=1, n_coils=4, slices=(9, 11), rng=generator(3))
    return write_kspace_hdf5(kspace, tmp_path_factory.mktemp("kspace") / "full.h5")


@pytest.fixture(scope="module")
def less(full: Path) -> Path:
    """The same with half of its lines."""
    from isocenter.data.io import read_kspace

    kspace = undersample(read_kspace(full), acceleration=2, acs=12, rng=generator(1))
    return write_kspace_hdf5(kspace, full.with_name("less.h5"))


def document(folder: Path, name: str = "out.json") -> dict[str, object]:
    read: dict[str, object] = json.loads((folder / name).read_text())
    return read


def test_a_fully_sampled_file_is_undersampled_and_compared(
    full: Path, command: Command, tmp_path: Path
) -> None:
    before = hashlib.sha256(full.read_bytes()).hexdigest()
    words = ("reconstruct", full, "out.nii.gz", "--method", "sense", "--acceleration", "2.5")
    ended = command(*words, "--acs", "10", "--write-maps")
    assert ended.code == 0, ended.err
    assert "PSNR" in ended.out
    assert "R=2.5" in ended.out
    said = document(tmp_path)
    assert said["true_acceleration"] == pytest.approx(2.5, rel=0.05)
    metrics = said["metrics"]
    assert isinstance(metrics, dict)
    assert 20 < metrics["psnr"]["value"] < 80
    assert set(metrics) == {
        name + ending for name in ("psnr", "ssim", "nmse") for ending in ("", "_published")
    }
    assert said["reference"] == "its own full k-space, combined with its coil maps"
    image = nibabel.load(tmp_path / "out.nii.gz")
    assert sorted(image.shape) == [2, 48, 56]
    assert image.header.get_zooms() == pytest.approx((2.0, 2.0, 2.0))
    assert (tmp_path / "out_maps.cfl").exists()
    assert (tmp_path / "out.html").read_text().count("<img ") >= 8
    assert hashlib.sha256(full.read_bytes()).hexdigest() == before


def test_the_same_seed_gives_the_same_bytes(full: Path, command: Command, tmp_path: Path) -> None:
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        words = ("--method", "zero_filled", "--mask", "random", "--acceleration", "3")
        ended = command("reconstruct", full, f"{name}.nii.gz", *words, "--acs", "8", "--seed", seed)
        assert ended.code == 0, ended.err
    a, b, c = ((tmp_path / f"{name}.nii.gz").read_bytes() for name in "abc")
    assert a == b != c


def test_an_undersampled_file_has_no_metrics_and_says_why(
    less: Path, command: Command, tmp_path: Path
) -> None:
    ended = command("reconstruct", less, "out.nii.gz", "--method", "sense", "--slices", "1")
    assert ended.code == 0, ended.err
    assert "PSNR n/a (no reference)" in ended.out
    said = document(tmp_path)
    assert said["metrics"] == {}
    assert said["reference"] is None
    reasons = said["reason_if_null"]
    assert isinstance(reasons, dict)
    assert "no --reference was given" in reasons["reference"]
    assert len(said["slices"]) == 1  # type: ignore[arg-type]
    assert nibabel.load(tmp_path / "out.nii.gz").shape.count(1) == 1


def test_a_reference_is_compared_with(
    less: Path, full: Path, command: Command, tmp_path: Path
) -> None:
    assert command("reconstruct", full, "truth.nii.gz", "--method", "sense").code == 0
    words = ("--method", "sense", "--reference", "truth.nii.gz")
    ended = command("reconstruct", less, "out.nii.gz", *words)
    assert ended.code == 0, ended.err
    metrics = document(tmp_path)["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["psnr"]["value"] > 20
    other = np.arange(120, dtype=np.float32).reshape(4, 5, 6)
    nibabel.save(nibabel.Nifti1Image(other, np.eye(4)), tmp_path / "other.nii.gz")
    wrong = command("reconstruct", less, "x.nii.gz", *words[:3], "other.nii.gz")
    assert wrong.code == 3
    assert "give a reference on the result's grid" in wrong.err
    assert not list(tmp_path.glob("x*"))


def test_a_mask_of_another_size_is_refused_with_both_sizes(
    full: Path, command: Command, tmp_path: Path
) -> None:
    np.save(tmp_path / "mask.npy", np.ones(50, bool))
    ended = command("reconstruct", full, "out.nii.gz", "--mask", "mask.npy", "--method", "sense")
    assert ended.code == 3
    assert "mask has 50 columns, k-space has 48" in ended.err


def test_methods_are_compared_on_one_file(full: Path, command: Command, tmp_path: Path) -> None:
    ended = command(
        "compare-recon", full, "--methods", "zero_filled,sense", "--acceleration", "3",
        "--acs", "10", "--out", "table.tsv",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    rows = [line.split("\t") for line in (tmp_path / "table.tsv").read_text().splitlines()]
    by_name = {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[1:]}
    assert float(by_name["sense"]["psnr"]) > float(by_name["zero_filled"]["psnr"])
    assert by_name["sense"]["evaluations"] == "0"


@pytest.mark.skipif(BROWSER is None, reason="no Chromium: apt-get install chromium")
@pytest.mark.timeout(180)
def test_the_page_shows_in_a_browser(full: Path, command: Command, tmp_path: Path) -> None:
    words = ("reconstruct", full, "out.nii.gz", "--method", "sense", "--acceleration", "2")
    assert command(*words, "--acs", "10").code == 0
    shown = open_in_browser(tmp_path / "out.html", tmp_path, "--dump-dom")
    assert "<h1>full.h5</h1>" in shown
    for title in ("zero filled", "sense", "reference", "error x 5"):
        assert f"<figcaption>{title}</figcaption>" in shown
    assert "Not for diagnosis" in shown
