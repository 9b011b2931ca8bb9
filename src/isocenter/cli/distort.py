"""``isocenter distort``: a scan in, a worse scan and the record of the damage out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from isocenter import registry
from isocenter.cli._params import read_params
from isocenter.errors import IsocenterError, ResourceError, UnknownName, UsageError

if TYPE_CHECKING:
    from isocenter.data.volume import Volume

__all__ = ["distort", "distorted", "sidecar_of"]

ENDINGS = (".nii.gz", ".nii")
RECORD = "isocenter_distort"
"""Key that marks a sidecar as ours."""


def distort(
    source: Annotated[Path, Parameter(name="IN")],
    to: Annotated[Path, Parameter(name="OUT")],
    /,
    *,
    artifact: str,
    level: int,
    seed: int = 0,
    preset: str = "physical",
    param: Annotated[tuple[str, ...], Parameter(name="--param", consume_multiple=False)] = (),
    volume: int | None = None,
    series: str | None = None,
) -> int:
    """Put an artifact into a scan.

    Args:
        source: The scan: a file, or a folder with one DICOM series.
        to: File to write, ending in .nii or .nii.gz.
        artifact: Which one; see `isocenter list artifacts`.
        level: 1 (slight) to 4 (severe); 0 leaves the scan as it is.
        seed: Chooses what is drawn; the same seed draws the same.
        preset: What a level means; see `isocenter list presets`.
        param: KEY=VALUE, in place of what would be drawn, under the name that the record has for
            it; may be given several times. Motion takes trajectory=FILE.tsv with the columns
            time, x, y, z (mm), turn_x, turn_y, turn_z (degrees).
        volume: Of a 4-D file, take only this volume, counted from 0.
        series: Of a DICOM folder with several series, take this one.
    """
    _check(artifact, preset, level, seed)
    _check_place(source, to)
    given = read_params(param)
    from isocenter.cli._lines import complain
    from isocenter.data.io import Selection, load

    try:
        loaded = load(source, Selection(volume=volume, series=series))
    except IsocenterError as error:
        complain(source, str(error))
        return error.exit_code
    from isocenter.data.io import to_volume

    made = distorted(to_volume(loaded), artifact, level, seed=seed, preset=preset, given=given)
    save(made, to, source=loaded.facts.name, sha256=loaded.facts.sha256)
    print(f"wrote {to} and {sidecar_of(to)}")
    return 0


def distorted(
    scan: Volume,
    artifact: str,
    level: int,
    *,
    seed: int,
    preset: str,
    given: Mapping[str, Any] | None = None,
) -> Volume:
    """``scan`` with the artifact in it."""
    from isocenter.artifacts import artifact as make
    from isocenter.data.random import generator

    worse: Volume = make(artifact, level, preset=preset, given=given)(scan, rng=generator(seed))
    return worse


def save(scan: Volume, to: Path, *, source: str, sha256: str | None) -> None:
    """Write the scan, then the record of what was done to it."""
    import isocenter
    from isocenter.data import atomic
    from isocenter.data.io import write
    from isocenter.reports.json import dump

    write(scan, to)
    steps = [
        {"name": step.name, "params": dict(step.params), "seed": step.seed}
        for step in scan.history
        if step.name != "read"
    ]
    record = {
        RECORD: isocenter.__version__,
        "source": {"name": source, "sha256": sha256},
        "history": steps,
    }
    atomic.write_text(sidecar_of(to), dump(record))


def sidecar_of(path: Path) -> Path:
    """Where the record of a distorted scan lies.

    >>> sidecar_of(Path("moved.nii.gz")).name
    'moved.json'
    """
    ending = next((end for end in ENDINGS if path.name.lower().endswith(end)), path.suffix)
    return path.with_name(path.name[: len(path.name) - len(ending)] + ".json")


def _check(artifact: str, preset: str, level: int, seed: int) -> None:
    """Refuse wrong names and numbers before anything heavy is imported."""
    from isocenter.artifacts import PRESETS

    if artifact not in registry.artifacts.names():
        raise UnknownName("artifact", artifact, registry.artifacts.names())
    if preset not in PRESETS:
        raise UnknownName("preset", preset, PRESETS)
    if not 0 <= level <= 4:
        raise UsageError(f"--level is {level}: give 1 (slight) to 4 (severe), or 0 for none")
    if not 0 <= seed < 2**63:
        raise UsageError(f"--seed is {seed}: give a whole number from 0 to 2**63 - 1")


def _check_place(source: Path, to: Path) -> None:
    if not to.name.lower().endswith(ENDINGS) or to.name.lower() in ENDINGS:
        raise UsageError(f"{to}: only NIfTI can be written; give a name that ends in .nii.gz")
    if _same(source, to):
        raise UsageError(f"{to} is the input, which is never overwritten: give another name")
    folder = to.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ResourceError(f"cannot write to the folder {folder}: make it, or choose another")
    sidecar = sidecar_of(to)
    if sidecar.exists() and not _is_ours(sidecar):
        raise UsageError(f"{sidecar} exists and was not written by distort: give another name")


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _is_ours(sidecar: Path) -> bool:
    try:
        return RECORD in json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, RecursionError):
        return False
