"""``isocenter enhance``, ``check`` and ``fit-prior`` in real processes, on real scans."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

import isocenter as iso
from isocenter.artifacts._low_field_scan import coarse_affine, noisy
from isocenter.data.random import generator
from isocenter.datasets import sample
from isocenter.ops.thick_slices import Acquisition, thick_slices
from tests.e2e.conftest import PACKAGE, Command
from tests.e2e.test_report_in_browser import BROWSER, open_in_browser, requests
from tests.made_thick_net import made_slab_unet

RATIO = 4
NOTE = "research use, not for diagnosis"


@pytest.fixture(scope="module")
def thin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every second voxel of the sample scan, as a file."""
    scan = iso.read(sample.path())
    affine = scan.affine @ np.diag([2.0, 2.0, 2.0, 1.0])
    small = replace(scan, data=scan.data[::2, ::2, ::2].contiguous(), affine=affine)
    return iso.write(small, tmp_path_factory.mktemp("scan") / "thin_T1w.nii.gz")


@pytest.fixture(scope="module")
def thick(thin: Path) -> Path:
    """The same in thick slices with noise."""
    scan, acquisition = iso.read(thin), Acquisition(RATIO)
    clean = thick_slices(scan.shape, 2, acquisition)(scan.data)
    sigma = 0.02 * float(clean.quantile(0.99) if clean.numel() < 10**6 else clean.max())
    data = noisy(clean, sigma, kind="rician", rng=generator(5))
    made = replace(scan, data=data, affine=coarse_affine(scan.affine, 2, acquisition))
    return iso.write(made, thin.with_name("thick_T1w.nii.gz"))


def document(folder: Path, name: str = "out.json") -> dict[str, object]:
    read: dict[str, object] = json.loads((folder / name).read_text())
    return read


def psnr(image: Path, reference: Path) -> float:
    """Inside the head, the largest value of the reference as range."""
    one, other = (nibabel.load(path).get_fdata() for path in (image, reference))
    other = other[..., : one.shape[2]]
    head = other > 0.1 * other.max()
    return float(10 * np.log10(other.max() ** 2 / np.mean((one - other)[head] ** 2)))


def test_a_network_gives_thin_slices_with_doubt_and_a_report(
    thick: Path, command: Command, tmp_path: Path
) -> None:
    before = hashlib.sha256(thick.read_bytes()).hexdigest()
    made_slab_unet(tmp_path)
    words = ("--weights", "siqt.safetensors", "--members", "2", "--seed", "3", "--ratio", "4")
    ended = command("enhance", thick, "out.nii.gz", *words)
    assert ended.code == 0, ended.err
    assert "wrote out.nii.gz (+ _uncertainty, _lower, _upper, _interpolated," in ended.out
    assert "NOT FOR DIAGNOSIS" in ended.out
    assert hashlib.sha256(thick.read_bytes()).hexdigest() == before
    images = {path.name: nibabel.load(path) for path in tmp_path.glob("out*.nii.gz")}
    assert sorted(images) == [
        f"out{what}.nii.gz"
        for what in (
            "", "_disagreement", "_interpolated", "_lower", "_not_measured", "_uncertainty",
            "_upper",
        )
    ]  # fmt: skip
    scan = nibabel.load(thick)
    for name, image in images.items():
        assert image.header["descrip"].item().decode() == NOTE
        expected = list(scan.shape)
        expected[2] *= 1 if "disagreement" in name else RATIO
        assert list(image.shape) == expected
        assert nibabel.aff2axcodes(image.affine) == nibabel.aff2axcodes(scan.affine)
    enhanced, lower, upper = (
        images[f"out{what}.nii.gz"].get_fdata() for what in ("", "_lower", "_upper")
    )
    slack = 1e-4 * enhanced.max()
    assert np.all(lower <= enhanced + slack)
    assert np.all(enhanced <= upper + slack)
    assert enhanced.max() == pytest.approx(scan.get_fdata().max(), rel=0.3)  # the input's units
    said = document(tmp_path)
    assert said["ratio"] == RATIO
    assert said["input"]["sha256"] == before  # type: ignore[index, call-overload]
    assert said["facts"]["members"] == 2  # type: ignore[index, call-overload]
    assert len(said["provenance"]["weights_sha256"]) == 64  # type: ignore[index, call-overload]
    assert said["outputs"]["uncertainty"] == "out_uncertainty.nii.gz"  # type: ignore[index, call-overload]


def test_the_same_seed_gives_the_same_bytes(thick: Path, command: Command, tmp_path: Path) -> None:
    for name in "ab":
        ended = command("enhance", thick, f"{name}.nii.gz", "--method", "linear", "--quiet")
        assert ended.code == 0, ended.err
        assert "wrote" not in ended.out
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_cubic_is_nearer_than_nothing_and_has_no_doubt(
    thick: Path, thin: Path, command: Command, tmp_path: Path
) -> None:
    words = ("--method", "cubic", "--ratio", "4", "--assess")
    ended = command("enhance", thick, "out.nii.gz", *words)
    assert ended.code == 0, ended.err
    assert "quality by the assessor" in ended.out
    assert not (tmp_path / "out_uncertainty.nii.gz").exists()
    assert psnr(tmp_path / "out.nii.gz", thin) > 20
    said = document(tmp_path)
    assert set(said["quality"]) == {"scan", "enhanced"}  # type: ignore[call-overload]
    checks = said["checks"]
    assert isinstance(checks, dict)
    assert checks["prior_distance"] is None
    assert checks["reason_if_null"]["prior_distance"]


@pytest.mark.skipif(
    not (PACKAGE / "weights" / "siqt.safetensors").is_file(), reason="no weights ship yet"
)
@pytest.mark.slow
def test_the_shipped_network_is_nearer_than_cubic_splines(
    thick: Path, thin: Path, command: Command, tmp_path: Path
) -> None:
    ended = command("enhance", thick, "out.nii.gz", "--ratio", "4")
    assert ended.code == 0, ended.err
    gain = psnr(tmp_path / "out.nii.gz", thin) - psnr(tmp_path / "out_interpolated.nii.gz", thin)
    assert gain > 0.5  # dB, with voxels twice as large as those it learned from


def test_another_programs_image_is_checked(
    thick: Path, thin: Path, command: Command, tmp_path: Path
) -> None:
    words = ("--json", "checks.json")
    ended = command("check", thin, thick, *words)
    assert ended.code == 0, ended.err
    assert "agreement with the scan" in ended.out
    good = document(tmp_path, "checks.json")["checks"]
    image = nibabel.load(thin)
    data = image.get_fdata()
    data[40:60, 40:60, 30:60] = 0  # a hole that was never there
    nibabel.save(nibabel.Nifti1Image(data.astype(np.float32), image.affine), tmp_path / "x.nii.gz")
    ended = command("check", "x.nii.gz", thick, *words)
    assert ended.code == 0, ended.err
    assert "warning: " in ended.out
    bad = document(tmp_path, "checks.json")["checks"]
    assert isinstance(good, dict)
    assert isinstance(bad, dict)
    assert bad["mean_square"] > 3 * good["mean_square"]
    assert any(flag["kind"] == "inconsistent" for flag in bad["flags"])


@pytest.mark.slow
def test_a_real_scan_of_a_low_field_is_enhanced(
    data_root: Path, command: Command, tmp_path: Path
) -> None:
    kspace = data_root / "lowfield" / "6A" / "0.055T_FSE_kspace_postEMI.mat"
    assert command("reconstruct", kspace, "low.nii.gz", "--method", "rss").code == 0
    words = ("--voxel-size", "2,2,10", "--contrast", "T2w", "--method", "cubic")
    ended = command("enhance", "low.nii.gz", "out.nii.gz", *words)
    assert ended.code == 0, ended.err
    image = nibabel.load(tmp_path / "out.nii.gz")
    assert image.header.get_zooms() == pytest.approx((2, 2, 2))
    assert document(tmp_path)["input"]["modality"] == "T2w"  # type: ignore[index, call-overload]


def test_a_prior_is_fitted_and_read_again(command: Command, tmp_path: Path) -> None:
    from isocenter.artifacts import snr_prior
    from tests.unit.measures._heads import noise, tissues, volume
    from tests.unit.study.test_low_field_prior import quiet_head

    maps = []
    for name in ("csf", "gm", "wm"):
        maps.append(iso.write(volume(getattr(tissues(), name)), tmp_path / f"{name}.nii.gz"))
    scans = []
    for number in range(6):
        head = quiet_head()
        data = head.data * (1 + 0.05 * number) + 1e-3 * noise(number)
        scans.append(iso.write(replace(head, data=data), tmp_path / f"{number}_T1w.nii.gz"))
    ended = command("fit-prior", *scans, "--out", "prior.json", "--tissue", *(maps * 6))
    assert ended.code == 0, ended.err
    assert "correlation" in ended.out
    prior = snr_prior(tmp_path / "prior.json")
    assert prior.mean == pytest.approx((100, 70), rel=0.03)
    assert prior.reference == "wm"


@pytest.mark.skipif(BROWSER is None, reason="no Chromium: apt-get install chromium")
@pytest.mark.timeout(180)
def test_the_page_shows_in_a_browser(thick: Path, command: Command, tmp_path: Path) -> None:
    assert command("enhance", thick, "out.nii.gz", "--method", "cubic").code == 0
    shown = open_in_browser(tmp_path / "out.html", tmp_path, "--dump-dom")
    assert "<h1>thick_T1w.nii.gz</h1>" in shown
    for title in ("scan, as acquired", "cubic splines", "enhanced (cubic)", "share not measured"):
        assert f"<figcaption>{title}" in shown
    assert "Research use, not for diagnosis: may hide or invent lesions" in shown
    assert requests(tmp_path / "out.html", tmp_path) == 0
