"""Reading compressed scans, side by side with nibabel.

    python benchmarks/reading.py [--rounds 7]

One made volume of 256 x 256 x 176, the two readers in turn, checksum and hash included in
ours.  Prints one markdown table of medians.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np

from isocenter.data.io import load

SHAPE = (256, 256, 176)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    print("| file | isocenter, ms | nibabel, ms | ratio |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("int16", "float32"):
            path = made(Path(folder) / f"{kind}.nii.gz", kind)
            ours, theirs = interleaved(lambda p=path: load(p), lambda p=path: by_nibabel(p), rounds)
            print(f"| {kind} .nii.gz | {ours:.0f} | {theirs:.0f} | {theirs / ours:.1f} |")


def made(path: Path, kind: str) -> Path:
    """A bright ball with noise in dark air."""
    rng = np.random.default_rng(0)
    at = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij", sparse=True)
    ball = sum(part**2 for part in at) < 0.6
    values = (600 * ball + 20 * np.abs(rng.standard_normal(SHAPE))).astype(kind)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    return path


def by_nibabel(path: Path) -> np.ndarray:
    return nibabel.load(path).get_fdata(dtype=np.float32)


def interleaved(
    first: Callable[[], object], second: Callable[[], object], rounds: int
) -> tuple[float, float]:
    """Median milliseconds of two calls made in turn."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 1):
        for call, kept in zip((first, second), seconds, strict=True):
            began = time.perf_counter()
            call()
            kept.append(time.perf_counter() - began)
    ours, theirs = (1000 * statistics.median(kept[1:]) for kept in seconds)
    return ours, theirs


if __name__ == "__main__":
    main()
