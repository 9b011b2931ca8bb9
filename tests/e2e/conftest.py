"""Real commands in real processes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pytest

import isocenter

PACKAGE = Path(isocenter.__file__).parent
WEIGHTS = PACKAGE / "weights" / "hsfnet.safetensors"


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    out: str
    err: str
    cpu: float
    """Seconds of CPU, user and system."""
    wall: float
    peak: int
    """Largest resident memory, bytes."""


Command = Callable[..., Ended]


def run_python(*words: object, cwd: Path, timeout: float = 100) -> Ended:
    """Run this Python and measure it."""
    with tempfile.NamedTemporaryFile("r") as measured:
        command = [sys.executable, "-c", MEASURE, measured.name, sys.executable, *map(str, words)]
        run = subprocess.run(command, cwd=cwd, capture_output=True, timeout=timeout)
        cpu, wall, peak = map(float, measured.read().split())
    return Ended(run.returncode, run.stdout.decode(), run.stderr.decode(), cpu, wall, int(peak))


MEASURE = """
import os, subprocess, sys, time
start = time.monotonic()
process = subprocess.Popen(sys.argv[2:])
_, status, used = os.wait4(process.pid, 0)
with open(sys.argv[1], "w") as file:
    print(used.ru_utime + used.ru_stime, time.monotonic() - start, used.ru_maxrss * 1024, file=file)
os._exit(os.waitstatus_to_exitcode(status))
"""
"""A small process between us and the command: a child's peak starts from its parent's."""


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run ``isocenter`` in an empty folder."""
    return lambda *words: run_python("-m", "isocenter.cli", *words, cwd=tmp_path)


@pytest.fixture
def weights() -> Path:
    """The shipped weights; ``isocenter doctor`` fails its own test where they are missing."""
    if not WEIGHTS.is_file():
        pytest.skip("the package holds no weights: run tools/train_assessor.py")
    return WEIGHTS


@pytest.fixture
def head(tmp_path: Path) -> Path:
    """A made head as a NIfTI file."""
    return save(made_head(), tmp_path / "head_T1w.nii.gz")


def made_head(noise: float = 0.02) -> np.ndarray:
    """Nested ellipsoids with noise: 96 x 112 x 96 voxels of 2 mm, int16."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (96, 112, 96)), indexing="ij")
    radius = np.sqrt((x / 0.75) ** 2 + (y / 0.88) ** 2 + (z / 0.8) ** 2)
    image = 0.9 * (radius < 1) - 0.5 * (radius < 0.9) + 0.4 * (radius < 0.84)
    image += 0.2 * (radius < 0.55) * np.cos(9 * x) * np.cos(7 * y)
    rng = np.random.default_rng(3)
    real, imaginary = (rng.normal(0, noise, image.shape) for _ in range(2))
    return (1000 * np.hypot(image + real, imaginary)).astype(np.int16)


def save(image: np.ndarray, path: Path) -> Path:
    """Write a NIfTI file with voxels of 2 mm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(image, np.diag([2.0, 2.0, 2.0, 1.0])), path)
    return path
