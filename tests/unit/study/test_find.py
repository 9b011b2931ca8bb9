"""Scans are found, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from isocenter.study.find import find_scans, subject_of

DICOM = bytes(128) + b"DICM" + bytes(8)


def touch(folder: Path, *names: str, content: bytes = b"x") -> None:
    for name in names:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def found(folder: Path) -> list[str]:
    return [os.path.relpath(scan, folder) for scan in find_scans([folder]).scans]


def test_a_folder_is_searched_to_the_bottom_in_order(tmp_path: Path) -> None:
    touch(tmp_path, "b.nii", "a.NII.GZ", "sub/c.mgz", "sub/deep/d.mnc", "read.me", "x.json")
    assert found(tmp_path) == ["a.NII.GZ", "b.nii", "sub/c.mgz", "sub/deep/d.mnc"]


def test_a_pair_is_one_scan(tmp_path: Path) -> None:
    touch(tmp_path, "a.hdr", "a.img", "lonely.img")
    assert found(tmp_path) == ["a.hdr", "lonely.img"]


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, ".git/a.nii", "._a.nii.gz", "a.nii.gz")
    assert found(tmp_path) == ["a.nii.gz"]


def test_a_dicom_folder_is_one_scan_whatever_its_files_are_called(tmp_path: Path) -> None:
    touch(tmp_path, "s1/IM_0001", "s1/1.2.840.113", content=DICOM)
    touch(tmp_path, "s2/a.dcm")
    touch(tmp_path, "s3/notes")
    assert found(tmp_path) == ["s1", "s2"]


def test_a_named_file_is_always_taken(tmp_path: Path) -> None:
    touch(tmp_path, "scan.bin")
    assert find_scans([tmp_path / "scan.bin"]).scans == (tmp_path / "scan.bin",)


def test_what_comes_to_nothing_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.nii.gz").symlink_to(tmp_path / "gone")
    result = find_scans([tmp_path / "absent", tmp_path / "empty", tmp_path / "broken.nii.gz"])
    assert result.absent == (tmp_path / "absent",)
    assert result.empty == (tmp_path / "empty",)
    assert result.scans == (tmp_path / "broken.nii.gz",)  # the reader says what is wrong with it


def test_links_in_a_circle_and_pipes_do_not_stop_the_search(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert found(tmp_path) == ["a.nii"]


@pytest.mark.parametrize(
    ("path", "subject"),
    [
        ("x/sub-01_T1w.nii.gz", "sub-01_T1w"),
        ("x/A.B.NII", "A.B"),
        ("series", "series"),
        ("x/.nii.gz", ".nii.gz"),
        ("x/IM1.dcm", "IM1"),
        ("x/1.2.840", "1.2.840"),
    ],
)
def test_the_subject_is_the_name_without_its_ending(path: str, subject: str) -> None:
    assert subject_of(Path(path)) == subject
