"""Real commands in real processes."""

from __future__ import annotations

import os
import subprocess
import sys
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
    """Run this Python and measure it: ``wait4`` counts this child alone."""
    import tempfile
    import time

    start = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        command = [sys.executable, *map(os.fspath, map(_word, words))]
        process = subprocess.Popen(command, cwd=cwd, stdout=out, stderr=err)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - start
        assert wall < timeout
        texts = [_text(file) for file in (out, err)]
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
    return Ended(process.returncode, texts[0], texts[1], cpu, wall, peak)


def _word(word: object) -> str:
    return os.fspath(word) if isinstance(word, Path) else str(word)


def _text(file: object) -> str:
    file.seek(0)  # type: ignore[attr-defined]
    content: bytes = file.read()  # type: ignore[attr-defined]
    return content.decode()


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
