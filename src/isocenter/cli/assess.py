"""``isocenter assess``: find the scans, run them, print what was found."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from isocenter.cli._options import Job, Options
from isocenter.errors import NothingFound, UsageError

__all__ = ["assess"]


def assess(
    path: Annotated[tuple[Path, ...], Parameter(allow_leading_hyphen=False)],
    /,
    *,
    out: Path = Path(),
    json: bool = False,
    fail_below: float | None = None,
    page: Annotated[bool, Parameter(name="--report", negative="--no-report")] = True,
    workers: int = 1,
    device: str = "auto",
    model: str = "hsfnet",
    volume: int | None = None,
    series: str | None = None,
    contrast: str | None = None,
    voxel_size: str | None = None,
    max_voxels: int = 512**3,
    quiet: bool = False,
) -> int:
    """Say how good scans are.

    Args:
        path: Scans, or folders to search.
        out: Folder for the results; made if it is missing.
        json: Print one JSON document for each scan, each on one line, and nothing else.
        fail_below: Leave with exit code 10 if a scan has a lower quality, or none (0-100).
        page: Write NAME_quality.html beside NAME_quality.json.
        workers: How many scans to work on at once, each in its own process.
        device: Where the network runs: auto, cpu, cuda or cuda:N.
        model: Which model judges: one of `isocenter list models`, or a .safetensors file.
        volume: Of a 4-D file, take only this volume, counted from 0.
        series: Of a DICOM folder with several series, take this one: its number or UID.
        contrast: Contrast of the scans (T1w, T2w, FLAIR, PDw), when the file does not say.
        voxel_size: Voxel size in mm along the stored axes, as X,Y,Z, when the file does not say.
        max_voxels: Refuse scans with more voxels than this.
        quiet: Print nothing but errors.
    """
    _check(workers, fail_below, volume, max_voxels, model)
    from isocenter.cli._assessing import prepare_folder
    from isocenter.cli._batch import run_batch

    jobs, failed = _jobs(
        path,
        Options(
            out=out,
            model=model,
            device=device,
            volume=volume,
            series=series,
            contrast=contrast,
            voxel_size=_voxel_size(voxel_size),
            max_voxels=max_voxels,
            page=page,
        ),
    )
    prepare_folder(out)
    show = "json" if json else "nothing" if quiet else "lines"
    return run_batch(jobs, workers=workers, show=show, gate=fail_below, n_failed=failed)


def _check(
    workers: int, fail_below: float | None, volume: int | None, max_voxels: int, model: str
) -> None:
    from isocenter.errors import UnknownName
    from isocenter.registry import models

    if workers < 1:
        raise UsageError(f"--workers is {workers}: give 1 or more")
    if fail_below is not None and not 0 <= fail_below <= 100:
        raise UsageError(f"--fail-below is {fail_below:g}: quality goes from 0 to 100")
    if volume is not None and volume < 0:
        raise UsageError(f"--volume is {volume}: volumes are counted from 0")
    if max_voxels < 1:
        raise UsageError(f"--max-voxels is {max_voxels}: give 1 or more")
    if model not in models.names() and not model.endswith(".safetensors"):
        raise UnknownName("model", model, models.names())


def _voxel_size(given: str | None) -> tuple[float, float, float] | None:
    """Three lengths from ``1,1,1.2``."""
    if given is None:
        return None
    try:
        x, y, z = map(float, given.split(","))
    except ValueError:
        raise UsageError(f"--voxel-size is {given!r}: give three lengths as 1,1,1.2") from None
    if not all(0 < length < math.inf for length in (x, y, z)):
        raise UsageError(f"--voxel-size is {given!r}: give three lengths above 0, in mm")
    return x, y, z


def _jobs(paths: tuple[Path, ...], options: Options) -> tuple[list[Job], int]:
    """The work to do, and how many of ``paths`` came to nothing (each is told on stderr)."""
    from isocenter.cli._lines import complain
    from isocenter.study.find import find_scans
    from isocenter.study.names import result_names
    from isocenter.study.twins import group_twins

    if not paths:
        raise UsageError("no scan was given: isocenter assess PATH, or isocenter assess --help")
    found = find_scans(paths)
    for missing in found.absent:
        complain(missing, "there is no such file or folder")
    for folder in found.empty:
        complain(folder, "no scan was found in this folder or below it")
    if not found.scans:
        raise NothingFound("nothing matched: give a scan or a folder that holds scans")
    names = result_names(found.scans)
    groups = group_twins(found.scans)
    jobs = [Job(group, tuple(names[scan] for scan in group), options) for group in groups]
    return jobs, len(found.absent) + len(found.empty)
