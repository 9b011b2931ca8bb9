"""Writing: complete, verified, nothing left behind, one sentence when it cannot be."""

import errno
import os
from pathlib import Path

import pytest

from isocenter.data import atomic
from isocenter.errors import ResourceError


def test_bytes_arrive_and_nothing_else(tmp_path: Path) -> None:
    content = bytes(range(256)) * 9000  # more than one chunk of the check
    assert atomic.write_bytes(tmp_path / "a.bin", content).read_bytes() == content
    assert os.listdir(tmp_path) == ["a.bin"]


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    atomic.write_text(tmp_path / "a.txt", "old and longer")
    atomic.write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"


def test_text_is_utf8_with_unix_line_ends(tmp_path: Path) -> None:
    atomic.write_text(str(tmp_path / "a.txt"), "Zoë\n90 %\n")
    assert (tmp_path / "a.txt").read_bytes() == "Zoë\n90 %\n".encode()


def test_a_view_of_wide_numbers_is_measured_in_bytes(tmp_path: Path) -> None:
    wide = memoryview(bytes(range(80))).cast("d")
    assert atomic.write_bytes(tmp_path / "a.bin", wide).read_bytes() == bytes(range(80))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="cannot write .*gone/a.txt: No such file.*--out"):
        atomic.write_text(tmp_path / "gone" / "a.txt", "x")


def test_bytes_that_read_back_different_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = atomic.write_text(tmp_path / "a.txt", "old")
    sync = os.fsync

    def damage(handle: int) -> None:
        sync(handle)
        os.pwrite(handle, b"X", 1)

    monkeypatch.setattr(os, "fsync", damage)
    with pytest.raises(ResourceError, match="reads back different"):
        atomic.write_text(target, "new")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_everything_as_it_was(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = atomic.write_text(tmp_path / "a.txt", "old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, step, full)
    with pytest.raises(ResourceError, match="disk full while writing .*bytes free"):
        atomic.write_text(target, "new")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]
