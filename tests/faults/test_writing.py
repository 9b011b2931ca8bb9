"""Writing while the machine fails: killed, full, read-only. Old or new, never in between."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.data import atomic
from isocenter.errors import ResourceError

LENGTH = 3_000_000
ENDLESS = f"""
import itertools, sys
from isocenter.data import atomic
print("ready", flush=True)
for number in itertools.count():
    atomic.write_bytes(sys.argv[1], bytes([number % 251]) * {LENGTH})
"""
DIES_AT = """
import os, signal, sys
from isocenter.data import atomic
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(os, sys.argv[2], die)
atomic.write_text(sys.argv[1], "new")
"""
LIMITED = f"""
import resource, sys
from isocenter.data import atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    atomic.write_bytes(sys.argv[1], b"n" * {LENGTH})
except atomic.ResourceError as error:
    print(error)
"""


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def finished(folder: Path) -> list[str]:
    """Names that a reader would take for results."""
    return [name for name in os.listdir(folder) if not name.endswith(".tmp")]


def killed_after(seconds: float, target: Path) -> None:
    with subprocess.Popen(python(ENDLESS, target), stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(seconds)
        writer.kill()


def test_killed_at_any_moment_the_file_is_whole(tmp_path: Path) -> None:
    target, chance = tmp_path / "scan.bin", random.Random(5)
    seen = set()
    for _ in range(30):
        killed_after(chance.uniform(0, 0.04), target)
        content = target.read_bytes() if target.exists() else None
        if content is not None:
            assert content == content[:1] * LENGTH
            seen.add(content[:1])
    assert len(seen) > 1, "no write was ever finished: the test saw nothing"
    assert finished(tmp_path) == ["scan.bin"]


@pytest.mark.parametrize(("call", "left"), [("fsync", "old"), ("replace", "old"), ("open", "new")])
def test_killed_at_each_step_the_file_is_old_or_new(call: str, left: str, tmp_path: Path) -> None:
    target = atomic.write_text(tmp_path / "a.txt", "old")
    run = subprocess.run(python(DIES_AT, target, call), check=False)
    assert run.returncode == -9
    assert target.read_text() == left
    assert finished(tmp_path) == ["a.txt"]


def test_a_file_over_the_limit_leaves_the_old_one(tmp_path: Path) -> None:
    target = atomic.write_text(tmp_path / "a.txt", "old")
    run = subprocess.run(python(LIMITED, target), capture_output=True, text=True, check=True)
    assert run.stdout.startswith(f"cannot write {target}: File too large")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_said_with_the_room_that_is_left(small_disk: Path) -> None:
    target = atomic.write_text(small_disk / "a.bin", "old")
    with pytest.raises(ResourceError, match=r"disk full while writing .*a\.bin: [\d,]+ bytes free"):
        atomic.write_bytes(target, b"n" * LENGTH)
    assert target.read_text() == "old"
    assert os.listdir(small_disk) == ["a.bin"]


def test_a_read_only_disk_is_said(small_disk: Path) -> None:
    target = atomic.write_text(small_disk / "a.txt", "old")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(ResourceError, match=r"cannot write .*a\.txt: Read-only file system"):
        atomic.write_text(target, "new")
    assert target.read_text() == "old"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_read_only_folder_is_said(tmp_path: Path) -> None:
    target = atomic.write_text(tmp_path / "a.txt", "old")
    tmp_path.chmod(0o555)
    with pytest.raises(ResourceError, match=r"cannot write .*a\.txt: Permission denied"):
        atomic.write_text(target, "new")
    tmp_path.chmod(0o755)
    assert target.read_text() == "old"
