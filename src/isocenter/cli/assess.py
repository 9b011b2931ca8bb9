"""``isocenter assess``: find the scans, run them, print what was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from isocenter.cli._inputs import check_definition, check_reading, lengths
from isocenter.cli._lines import print_json, print_lines
from isocenter.cli._options import Job, Options, Row
from isocenter.errors import QualityGate, UsageError

__all__ = ["assess"]


def assess(
    path: Annotated[tuple[Path, ...], Parameter(allow_leading_hyphen=False)],
    /,
    *,
    out: Path = Path(),
    json: bool = False,
    fail_below: float | None = None,
    measures: bool = False,
    definition: str | None = None,
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
        measures: Add the measures that MRIQC names; takes several seconds more for each scan.
        definition: By whose formulas: corrected, mriqc-24 or mriqc-0.15; corrected unless given.
        page: Write NAME_quality.html beside NAME_quality.json.
        workers: How many scans to work on at once, each in its own process.
        device: Where the network runs: auto, cpu, cuda or cuda:N.
        model: Which model judges: hsfnet, miqanet (quality alone), hysnet (SNR alone), ensemble
            (all three), a .safetensors file, or a folder of `isocenter models export`.
        volume: Of a 4-D file, take only this volume, counted from 0.
        series: Of a DICOM folder with several series, take this one: its number or UID.
        contrast: Contrast of the scans (T1w, T2w, FLAIR, PDw), when the file does not say.
        voxel_size: Voxel size in mm along the stored axes, as X,Y,Z, when the file does not say.
        max_voxels: Refuse scans with more voxels than this.
        quiet: Print nothing but errors.
    """
    check_reading(workers, volume, max_voxels)
    _check(fail_below, model)
    check_definition(definition)
    if definition is not None and not measures:
        raise UsageError("--definition is for measures: add --measures")
    from isocenter.cli._assessing import died, prepare_folder, work
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
            voxel_size=lengths(voxel_size),
            measures=(definition or "corrected") if measures else None,
            max_voxels=max_voxels,
            page=page,
        ),
    )
    prepare_folder(out)
    gate = _Gate(fail_below)
    printer = print_json if json else _nothing if quiet else print_lines

    def each(row: Row) -> None:
        gate.add(row)
        printer(row)

    code = run_batch(
        work,
        jobs,
        died=died,
        each=each,
        n_scans=sum(len(job.scans) for job in jobs),
        n_failed=failed,
        workers=workers,
        quiet=quiet and not json,
    )
    if code == 0:
        gate.close()
    return code


@dataclass
class _Gate:
    """The scans that ``--fail-below`` does not let through."""

    limit: float | None
    below: list[str] = field(default_factory=list)

    def add(self, row: Row) -> None:
        if self.limit is None or row.report is None:
            return
        score = row.report.score
        if score is None or score < self.limit:
            self.below.append(row.report.scan.name)

    def close(self) -> None:
        """Raise, if there are any."""
        if not self.below:
            return
        shown = ", ".join(self.below[:3]) + (", ..." if len(self.below) > 3 else "")
        scans = "1 scan is" if len(self.below) == 1 else f"{len(self.below)} scans are"
        told = f"{scans} below the quality {self.limit:g} that --fail-below asks for: {shown}"
        raise QualityGate(told)


def _nothing(row: Row) -> None:
    """``--quiet``."""


def _check(fail_below: float | None, model: str) -> None:
    from isocenter.errors import UnknownName
    from isocenter.registry import models

    if fail_below is not None and not 0 <= fail_below <= 100:
        raise UsageError(f"--fail-below is {fail_below:g}: quality goes from 0 to 100")
    if fail_below is not None and model == "hysnet":
        raise UsageError(
            "hysnet estimates the SNR and no quality: --fail-below needs another model"
        )
    own = model.endswith(".safetensors") or Path(model).is_dir()
    if model not in models.names() and not own:
        raise UnknownName("model", model, models.names())


def _jobs(paths: tuple[Path, ...], options: Options) -> tuple[list[Job], int]:
    """The work to do, and how many of ``paths`` came to nothing (each is told on stderr)."""
    from isocenter.cli._inputs import find
    from isocenter.study.names import result_names
    from isocenter.study.twins import group_twins

    scans, n_failed = find(paths, command="assess")
    names = result_names(scans)
    groups = group_twins(scans)
    jobs = [Job(group, tuple(names[scan] for scan in group), options) for group in groups]
    return jobs, n_failed
