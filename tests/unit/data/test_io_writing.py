"""What is written reads back as it was, on the axes of the file that it came from."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from isocenter.data.io import cropped, load, read, write
from isocenter.data.step import Step
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume, ResourceError, UsageError

CODES = [
    "".join(pair[bit] for pair, bit in zip(order, bits, strict=True))
    for order in itertools.permutations(["RL", "AP", "SI"])
    for bits in itertools.product((0, 1), repeat=3)
]


def stored(codes: str, path: Path) -> Path:
    """A file whose axes run in the given directions, 1 x 1.5 x 2 mm."""
    rng = np.random.default_rng(2)
    data = (rng.random((5, 6, 7)) * 900).astype(np.float32)
    affine = nibabel.orientations.inv_ornt_aff(nibabel.orientations.axcodes2ornt(codes), (5, 6, 7))
    affine = np.linalg.inv(affine) @ np.diag([1, 1.5, 2, 1])
    affine[:3, 3] += [3, -4, 5]
    nibabel.Nifti1Image(data, affine).to_filename(path)
    assert "".join(nibabel.aff2axcodes(affine)) == codes
    return path


@pytest.mark.parametrize("codes", CODES)
def test_the_original_axes_come_back(codes: str, tmp_path: Path) -> None:
    before = nibabel.load(stored(codes, tmp_path / "in.nii"))
    write(read(tmp_path / "in.nii"), tmp_path / "out.nii.gz")
    after = nibabel.load(tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(after.get_fdata(), before.get_fdata())
    np.testing.assert_allclose(after.affine, before.affine, atol=1e-5)
    assert load(tmp_path / "out.nii.gz").facts.orientation == codes


@pytest.mark.parametrize("codes", CODES)
def test_a_crop_counts_along_the_axes_of_the_file(codes: str, tmp_path: Path) -> None:
    before = nibabel.load(stored(codes, tmp_path / "in.nii"))
    write(cropped(read(tmp_path / "in.nii"), (2, 3, 4)), tmp_path / "out.nii.gz")
    after = nibabel.load(tmp_path / "out.nii.gz")
    # Of 5, 6 and 7 voxels; starts are floor(n / 2) - floor(size / 2).
    np.testing.assert_array_equal(after.get_fdata(), before.get_fdata()[1:3, 2:5, 1:5])
    np.testing.assert_allclose(after.affine, before.slicer[1:3, 2:5, 1:5].affine, atol=1e-5)


def test_a_crop_that_does_not_fit_is_refused() -> None:
    with pytest.raises(BadVolume, match=r"9 x 2 x 2 does not fit into the 6 x 5 x 4"):
        cropped(scan(), (9, 2, 2))
    with pytest.raises(BadVolume):
        cropped(scan(), (0, 2, 2))


def scan(seed: int = 1, affine: np.ndarray | None = None) -> Volume:
    data = torch.from_numpy(np.random.default_rng(seed).random((6, 5, 4), np.float32) * 700 - 50)
    return Volume(data, np.diag([1.0, 2.0, 3.0, 1.0]) if affine is None else affine)


def test_a_made_scan_stays_right_front_up(tmp_path: Path) -> None:
    made = scan()
    back = read(write(made, tmp_path / "out.nii"))
    assert torch.equal(back.data, made.data)
    np.testing.assert_array_equal(back.affine, made.affine)


def test_a_processed_scan_keeps_its_file_s_axes(tmp_path: Path) -> None:
    first = read(stored("LIA", tmp_path / "in.nii"))
    changed = first.after(first.data * 2, Step("noise", {}))
    back = read(write(changed, tmp_path / "out.nii"))
    assert torch.equal(back.data, changed.data)
    assert back.origin is not None
    assert back.origin.params["orientation"] == "LIA"


def test_oblique_and_sheared_axes_survive(tmp_path: Path) -> None:
    cos, sin = np.cos(0.4), np.sin(0.4)
    affine = np.array([[cos, -sin, 0.1, 3], [sin, cos, 0, 4], [0, 0.05, 2, 5], [0, 0, 0, 1.0]])
    back = read(write(scan(affine=affine), tmp_path / "out.nii.gz"))
    np.testing.assert_allclose(back.affine, affine, atol=1e-6)


def test_int16_is_exact_to_its_step(tmp_path: Path) -> None:
    made = scan()
    path = write(made, tmp_path / "out.nii", dtype="int16")
    step = float(np.ptp(made.data.numpy())) / 65534
    assert float((read(path).data - made.data).abs().max()) <= 0.51 * step
    assert nibabel.load(path).get_data_dtype() == np.int16
    assert path.stat().st_size == 352 + 2 * made.data.numel()


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_the_same_content_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    write(scan(), one / name)
    write(scan(), two / f"other_{name}")
    content = (one / name).read_bytes()
    assert content == (two / f"other_{name}").read_bytes()
    assert content != write(scan(seed=2), one / name).read_bytes()


def test_gzip_carries_neither_time_nor_name(tmp_path: Path) -> None:
    content = write(scan(), tmp_path / "a.nii.gz").read_bytes()
    assert content[3] == 0, "flags: no file name"
    assert content[4:8] == bytes(4), "no time"


@pytest.mark.parametrize("name", ["a.mgz", "a.hdr", "a", "a.nii.bz2", "a.gz"])
def test_only_nifti_is_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"use \.nii\.gz"):
        write(scan(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadVolume, match="32768 voxels"):
        write(Volume(torch.rand(32768, 1, 1), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(BadVolume, match="not finite"):
        write(
            Volume(torch.full((2, 2, 2), torch.inf), np.eye(4)), tmp_path / "a.nii", dtype="int16"
        )
    with pytest.raises(UsageError, match="float64"):
        # Past the check of types that only the test run has.
        getattr(write, "__wrapped__", write)(scan(), tmp_path / "a.nii", dtype="float64")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write(scan(), tmp_path / "a.nii").read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match="disk full"):
        write(scan(seed=2), tmp_path / "a.nii")
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii"]
    assert (tmp_path / "a.nii").read_bytes() == old


def test_a_limit_on_file_size_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import resource, sys, torch, numpy as np\n"
        "from isocenter.data.io import write\n"
        "from isocenter.data.volume import Volume\n"
        "from isocenter.errors import ResourceError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
        "try:\n"
        "    write(Volume(torch.rand(20, 20, 20), np.eye(4)), sys.argv[1])\n"
        "except ResourceError as error:\n"
        "    print('refused', error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.nii"], capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("refused cannot write")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_or_read_only_is_a_resource_error(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="cannot write"):
        write(scan(), tmp_path / "missing" / "a.nii")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    if os.access(locked, os.W_OK):  # the administrator may write everywhere but here
        locked = Path("/proc")
    with pytest.raises(ResourceError, match="cannot write"):
        write(scan(), locked / "a.nii")
    assert list((tmp_path / "locked").iterdir()) == []


def test_a_note_stands_in_the_header(tmp_path: Path) -> None:
    volume = Volume(torch.rand(3, 4, 5), np.eye(4))
    note = "research use, not for diagnosis"
    write(volume, tmp_path / "a.nii.gz", note=note)
    assert nibabel.load(tmp_path / "a.nii.gz").header["descrip"].item().decode() == note
    write(volume, tmp_path / "b.nii.gz")
    assert nibabel.load(tmp_path / "b.nii.gz").header["descrip"].item() == b""
    for bad in ("x" * 80, "é"):
        with pytest.raises(UsageError, match="79 ASCII"):
            write(volume, tmp_path / "c.nii.gz", note=bad)
