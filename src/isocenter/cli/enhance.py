"""``isocenter enhance``: thick slices in; thin ones, their doubt and a report out."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from isocenter import registry
from isocenter.cli._enhancing import NOTHING_SAID, Reading, check_lines, load_scan
from isocenter.cli.reconstruct import watched
from isocenter.errors import ResourceError, UnknownName, UsageError
from isocenter.reports.enhancement import MADE_BY
from isocenter.reports.text import one_line, size

if TYPE_CHECKING:
    from isocenter.data.enhancement import EnhancementReport
    from isocenter.data.volume import Volume
    from isocenter.restorers import Checked, Enhanced
    from isocenter.study.enhancement import Prepared

__all__ = ["Asked", "enhance"]

ENDINGS = (".nii.gz", ".nii")
NOTE = "research use, not for diagnosis"
"""Stands in the header of every image that is written."""
PLANES = ("sagittal", "coronal", "axial")


@dataclass(frozen=True)
class Asked:
    """What is enhanced, and how."""

    method: str = "siqt"
    """siqt (a network, with doubt), or cubic or linear (interpolation, to compare)."""
    ratio: str = "auto"
    """Thin slices for a thick one: 2 to 8, or auto: the slices' distance over the pixels' width."""
    axis: Literal["sagittal", "coronal", "axial"] | None = None
    """How the thick slices lie; found from the voxel sides unless given."""
    members: int | None = None
    """Networks in one that are asked, 4 unless given; more say more of what is not known."""
    max_memory: float | None = None
    """Gigabytes that the network may use, 2 unless given; decides the size of its tiles."""
    weights: Path | None = None
    """A checkpoint (.safetensors) in place of the network that ships."""
    device: str | None = None
    """cpu, cuda, or auto (cuda where there is a GPU)."""
    settings: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=False)] = ()
    """NAME=VALUE of the method's other options; may be given several times."""
    seed: int = 0
    """Chooses what the method draws; the same seed gives the same result."""


AS_SHIPPED = Asked()


def enhance(
    source: Annotated[Path, Parameter(name="IN")],
    to: Annotated[Path, Parameter(name="OUT")],
    /,
    *,
    asked: Annotated[Asked, Parameter(name="*")] = AS_SHIPPED,
    reading: Annotated[Reading, Parameter(name="*")] = NOTHING_SAID,
    brain: Path | None = None,
    assess: bool = False,
    quiet: bool = False,
) -> int:
    """Enhance.

    Args:
        source: The scan: a file, or a folder with one DICOM series.
        to: File to write, ending in .nii or .nii.gz.
        asked: See there.
        reading: See there.
        brain: A mask of the brain on the scan's grid, for the checks; found unless given.
        assess: Add what the assessor says of the scan and of the enhanced one.
        quiet: Print nothing but errors and warnings.
    """
    _check(asked)
    _check_place(to, (source, brain, asked.weights))
    loaded = load_scan(source, reading)
    options = _options(asked)
    from isocenter.study.enhancement import enhanced, prepare, quality_of, told

    prepared = prepare(loaded, contrast=reading.contrast, brain=brain)
    if not quiet:
        print(_head(prepared), flush=True)
    with watched(quiet, "tiles") as progress:
        made, checked, seconds = enhanced(
            prepared, asked.method, options, seed=asked.seed, progress=progress
        )
    quality = quality_of(made, prepared, asked.device or "auto") if assess else None
    report = told(
        made, checked, prepared, method=asked.method, options=options, seed=asked.seed,
        seconds=seconds, quality=quality,
    )  # fmt: skip
    names = _write(made, checked, report, to)
    _print(report, names, quiet)
    return 0


def _check(asked: Asked) -> None:
    """Refuse wrong names and numbers before anything is read."""
    if asked.method not in registry.restorers.names():
        raise UnknownName("method", asked.method, registry.restorers.names())
    _ratio(asked.ratio)
    if not 0 <= asked.seed < 2**63:
        raise UsageError(f"--seed is {asked.seed}: give a whole number from 0 to 2**63 - 1")
    if asked.members is not None and asked.members < 1:
        raise UsageError(f"--members is {asked.members}: give 1 or more")
    if asked.max_memory is not None and not asked.max_memory > 0:
        raise UsageError(f"--max-memory is {asked.max_memory:g}: give gigabytes above 0")


def _options(asked: Asked) -> Any:
    """The options of the method.

    Raises:
        UnknownName: A method that takes no scan.
        UsageError: An option that the method does not have, or a wrong value.
    """
    from isocenter.data.settings import with_settings
    from isocenter.restorers import scan_restorers

    if asked.method not in scan_restorers():
        raise UnknownName("method that takes a scan", asked.method, scan_restorers())
    options = registry.restorers.get(asked.method).Options()
    given = {
        "ratio": _ratio(asked.ratio),
        "axis": None if asked.axis is None else PLANES.index(asked.axis),
        "members": asked.members,
        "max_memory": asked.max_memory,
        "weights": None if asked.weights is None else os.fspath(asked.weights),
        "device": asked.device,
    }
    known = {name: value for name, value in given.items() if value is not None}
    for name in known:
        if not hasattr(options, name):
            raise UsageError(
                f"--{name.replace('_', '-')} means nothing to {asked.method}, which has no "
                "network: leave it out"
            )
    return with_settings(options, [*(f"{k}={v}" for k, v in known.items()), *asked.settings])


def _ratio(given: str) -> int | None:
    if given == "auto":
        return None
    if not given.isdecimal() or not 2 <= int(given) <= 8:
        raise UsageError(f"--ratio is {given!r}: give auto, or a whole number from 2 to 8")
    return int(given)


def _check_place(to: Path, inputs: tuple[Path | None, ...]) -> None:
    if not to.name.lower().endswith(ENDINGS) or to.name.lower() in ENDINGS:
        raise UsageError(f"{to}: only NIfTI can be written; give a name that ends in .nii.gz")
    folder = to.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ResourceError(f"cannot write to the folder {folder}: make it, or choose another")
    for place in _places(to).values():
        for given in inputs:
            if given is not None and place.exists() and given.exists() and place.samefile(given):
                raise UsageError(f"{place} is an input, which is never overwritten: choose another")
    document = _places(to)["document"]
    if document.exists() and not _is_ours(document):
        raise UsageError(f"{document} exists and was not written by enhance: give another name")


def _is_ours(document: Path) -> bool:
    try:
        return MADE_BY in json.loads(document.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, RecursionError):
        return False


def _places(to: Path) -> dict[str, Path]:
    """Where each output goes; the image first, the document last."""
    ending = next(end for end in ENDINGS if to.name.lower().endswith(end))
    stem = to.name[: -len(ending)]
    images = ("uncertainty", "lower", "upper", "interpolated", "disagreement", "not_measured")
    return {
        "image": to,
        **{what: to.with_name(f"{stem}_{what}{to.name[-len(ending) :]}") for what in images},
        "page": to.with_name(f"{stem}.html"),
        "document": to.with_name(f"{stem}.json"),
    }


def _write(made: Enhanced, checked: Checked, report: EnhancementReport, to: Path) -> list[str]:
    """Images, the page, and the document last: where it is, all is there."""
    from isocenter.data import atomic
    from isocenter.data.io import write
    from isocenter.reports import enhancement
    from isocenter.reports.json import dump

    places = _places(to)
    images: dict[str, Volume | None] = {
        "uncertainty": made.deviation,
        "lower": made.lower,
        "upper": made.upper,
        "interpolated": made.interpolated,
        "disagreement": checked.consistency,
        "not_measured": checked.null_space,
    }
    written = [name for name, image in images.items() if image is not None]
    outputs = {name: places[name] for name in ("image", *written)}
    with _whole_or_nothing(places):
        write(made.image, to, note=NOTE)
        for name, image in images.items():
            if image is not None:  # in whole numbers: half the size, digits enough
                alike = replace(image, history=made.image.history)  # on the axes of the scan's file
                write(alike, places[name], dtype="int16", note=NOTE)
        atomic.write_text(places["page"], enhancement.page(report))
        outputs["page"] = places["page"]
        names = {what: place.name for what, place in outputs.items()}
        atomic.write_text(places["document"], dump(enhancement.document(report, names)))
    return [place.name for place in (*outputs.values(), places["document"])]


@contextlib.contextmanager
def _whole_or_nothing(places: dict[str, Path]) -> Iterator[None]:
    """An older result goes first; what was written goes again if not all could be."""
    for place in reversed(places.values()):
        place.unlink(missing_ok=True)
    try:
        yield
    except BaseException:
        for place in places.values():
            place.unlink(missing_ok=True)
        raise


def _head(prepared: Prepared) -> str:
    facts = prepared.facts
    contrast = facts.contrast or "contrast unknown"
    shape = " x ".join(map(str, facts.shape))
    return one_line(f"{facts.name}   {contrast}, {size(facts.spacing)}, {shape}")


def _print(report: EnhancementReport, names: list[str], quiet: bool) -> None:
    page = names[-2]
    if not quiet:
        for line in _lines(report):
            print(one_line(line))
        stem, *others = names
        ending = next(end for end in ENDINGS if stem.lower().endswith(end))
        base = stem[: -len(ending)]
        short = ", ".join(other.removeprefix(base).removesuffix(ending) for other in others)
        print(one_line(f"wrote {stem} (+ {short})"))
        print("NOT FOR DIAGNOSIS, research use only: may hide or invent lesions")
    for sentence in report.checks.warnings:
        print(one_line(f"warning: {sentence}: see {page}"))


def _lines(report: EnhancementReport) -> Iterator[str]:
    facts = report.facts
    tiles, members = _several(facts, "n_tiles", "tile"), _several(facts, "members", "member")
    shape = " x ".join(map(str, report.shape))
    yield (
        f"{report.method}   {report.ratio} thin slices for a thick one ({report.plane}), {shape}"
        f"{members}{tiles}   {report.seconds:.1f} s  {report.device}, "
        f"{report.peak_rss / 1e9:.1f} GB"
    )
    yield from check_lines(report.checks)
    if report.quality is not None:
        before, after = (
            "none" if one.score is None else f"{one.score:.0f} / 100" for one in report.quality
        )
        yield f"  {'quality by the assessor':<38}{before:>8} before, {after} after"
    for note in report.notes:
        yield f"note: {note}"


def _several(facts: Mapping[str, object], key: str, noun: str) -> str:
    """The end of a line: ``, 3 tiles``, ``, 1 tile``; empty where the method knows of none."""
    n = facts.get(key)
    return f", {n} {noun}{'' if n == 1 else 's'}" if n else ""
