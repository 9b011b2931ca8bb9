"""Small undamaged scans as files, and what a benchmark left behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from isocenter.artifacts import benchmark_versions
from isocenter.data.io import write
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.study.simulate import Job, make_job
from isocenter.study.sources import find_sources


def made_scan(number: int, side: int = 24) -> Volume:
    """A head with noise."""
    clean = head_phantom((side, side + 2, side - 2))
    noise = torch.randn(clean.shape, generator=generator(number))
    return replace(clean, data=(clean.data + 10 * noise).abs(), contrast="T1w")


def write_scans(folder: Path, *, n_people: int = 3, side: int = 24) -> Path:
    """A BIDS folder; the first person came twice."""
    for number in range(n_people):
        for session in ("1", "2") if number == 0 else ("1",):
            place = folder / f"sub-{number:02d}" / f"ses-{session}" / "anat"
            place.mkdir(parents=True)
            name = f"sub-{number:02d}_ses-{session}_T1w.nii.gz"
            write(made_scan(10 * number + int(session), side), place / name)
    return folder


def small_job(source: Path, out: Path, **changes: object) -> Job:
    """Three versions of every scan."""
    versions = benchmark_versions("physical", ["noise", "bias"], [3])
    arguments = {"source": source, "out": out, "seed": 7} | changes
    return make_job(find_sources(source).scans, versions, **arguments)  # type: ignore[arg-type]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file that is no temporary one, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
