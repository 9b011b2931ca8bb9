"""``isocenter reconstruct``: k-space in, a scan, its uncertainty and a report out."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from isocenter import registry
from isocenter.errors import ResourceError, UnknownName, UsageError
from isocenter.reports.text import one_line

if TYPE_CHECKING:
    from isocenter.data.reconstruction import ReconstructionReport
    from isocenter.restorers import Reconstruction
    from isocenter.study.reconstruction import Prepared, Request

__all__ = ["NOTHING_ASKED", "Asked", "reconstruct", "request", "watched"]

ENDINGS = (".nii.gz", ".nii")


@dataclass(frozen=True)
class Asked:
    """Which data are reconstructed."""

    mask: str | None = None
    """What was measured: a file (.npy, .mat, .txt), or a kind of mask such as uniform, random or
    poisson to undersample a fully sampled file with."""
    acceleration: float | None = None
    """Undersample a fully sampled file so many times; 4 unless given."""
    acs: int | None = None
    """Fully measured lines around the centre of that mask; 24 unless given."""
    maps: Path | None = None
    """Coil maps (.npy, .cfl); found in the k-space unless given."""
    reference: Path | None = None
    """A scan on the result's grid to compare with."""
    slices: str | None = None
    """Only these slices, as 3-10 or 7, counted from 0."""
    crop: str | None = None
    """centre: fit mask and k-space of different sizes by their centres."""
    seed: int = 0
    """Chooses the mask and what a method draws; the same seed gives the same result."""
    device: str = "auto"
    """cpu, cuda, or auto (cuda where there is a GPU)."""


NOTHING_ASKED = Asked()


def reconstruct(
    source: Annotated[Path, Parameter(name="KSPACE")],
    to: Annotated[Path, Parameter(name="OUT")],
    /,
    *,
    method: str = "hfs_sde",
    asked: Annotated[Asked, Parameter(name="*")] = NOTHING_ASKED,
    samples: int | None = None,
    steps: int | None = None,
    time_budget: float | None = None,
    settings: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=False)] = (),
    write_maps: bool = False,
    quiet: bool = False,
) -> int:
    """Reconstruct.

    Args:
        source: K-space: fastMRI or ISMRMRD (.h5), BART (.cfl), Siemens (.dat), .npy, .mat.
        to: File to write, ending in .nii or .nii.gz.
        method: Which one; see `isocenter list restorers`.
        asked: See there.
        samples: Of a method that samples: how many samples are averaged.
        steps: Of a method that samples: steps of a sample.
        time_budget: Of a method that samples: seconds that all slices may take.
        settings: NAME=VALUE of the method's other options; may be given several times.
        write_maps: Write the coil maps beside the result, as BART's .cfl.
        quiet: Print nothing but errors.
    """
    options = _options(method, samples, steps, time_budget, settings)
    wanted = request(source, asked)
    _check_place(source, to)
    from isocenter.study.reconstruction import prepare, restored, told

    prepared = prepare(wanted)
    if not quiet:
        print(_head(source, prepared), flush=True)
    with watched(quiet) as progress:
        made, scores = restored(prepared, method, options, seed=asked.seed, progress=progress)
    report = told(made, scores, prepared, options, seed=asked.seed, source=source)
    names = _write(made, report, prepared, to, write_maps)
    if not quiet:
        print(_result(report))
        for note in report.notes:
            print(f"note: {one_line(note)}")
        print(f"wrote {', '.join(names)}")
        print("research use only, not for diagnosis: structures may be missing or invented")
    return 0


def request(source: Path, asked: Asked) -> Request:
    """What the options mean.

    Raises:
        UsageError: Options that cannot be.
    """
    if asked.seed < 0 or asked.seed >= 2**63:
        raise UsageError(f"--seed is {asked.seed}: give a whole number from 0 to 2**63 - 1")
    if asked.acceleration is not None and not asked.acceleration > 1:
        raise UsageError(f"--acceleration is {asked.acceleration:g}: give a number above 1")
    if asked.crop not in (None, "centre"):
        raise UnknownName("way to crop", str(asked.crop), ["centre"])
    from isocenter.data.device import usable_device
    from isocenter.study.reconstruction import Request

    return Request(
        source=source,
        mask=asked.mask,
        acceleration=asked.acceleration,
        acs=asked.acs,
        seed=asked.seed,
        maps=asked.maps,
        reference=asked.reference,
        slices=_slices(asked.slices),
        crop=asked.crop == "centre",
        device=usable_device(asked.device),
    )


@contextlib.contextmanager
def watched(quiet: bool, unit: str = "slices") -> Iterator[Callable[[int, int], None] | None]:
    """A bar over slices, or another unit of work, when somebody watches."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from isocenter.cli._progress import steps

    with steps(unit) as progress:
        yield progress


def _options(
    method: str,
    samples: int | None,
    steps: int | None,
    time_budget: float | None,
    settings: tuple[str, ...],
) -> Any:
    if method not in registry.restorers.names():
        raise UnknownName("restorer", method, registry.restorers.names())
    if time_budget is not None and not time_budget > 0:
        raise UsageError(f"--time-budget is {time_budget:g}: give seconds above 0")
    from isocenter.data.settings import with_settings
    from isocenter.restorers import options_of

    options = options_of(method)
    given = {"samples": samples, "steps": steps, "time_budget": time_budget}
    for name, value in given.items():
        if value is not None and not hasattr(options, name):
            raise UsageError(
                f"--{name.replace('_', '-')} means nothing to {method}, which draws no samples: "
                "leave it out"
            )
    words = [f"{name}={value}" for name, value in given.items() if value is not None]
    return with_settings(options, [*words, *settings])


def _slices(given: str | None) -> tuple[int, int] | None:
    if given is None:
        return None
    first, _, last = given.partition("-")
    if not first.isdecimal() or (last and not last.isdecimal()) or int(last or first) < int(first):
        raise UsageError(f"--slices is {given!r}: give them as 3-10 or 7, counted from 0")
    return int(first), int(last or first)


def _check_place(source: Path, to: Path) -> None:
    if not to.name.lower().endswith(ENDINGS) or to.name.lower() in ENDINGS:
        raise UsageError(f"{to}: only NIfTI can be written; give a name that ends in .nii.gz")
    folder = to.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ResourceError(f"cannot write to the folder {folder}: make it, or choose another")
    for place in (to, *_beside(to).values()):
        if place.exists() and source.exists() and place.samefile(source):
            raise UsageError(f"{place} is the input, which is never overwritten: choose another")


def _beside(to: Path) -> dict[str, Path]:
    ending = next(end for end in ENDINGS if to.name.lower().endswith(end))
    stem = to.name[: -len(ending)]
    names = {
        "uncertainty": f"{stem}_uncertainty{ending}",
        "maps": f"{stem}_maps.cfl",
        "page": f"{stem}.html",
        "document": f"{stem}.json",
    }
    return {what: to.with_name(name) for what, name in names.items()}


def _write(
    made: Reconstruction,
    report: ReconstructionReport,
    prepared: Prepared,
    to: Path,
    write_maps: bool,
) -> list[str]:
    """Images, the page, and the document last: where it is, all is there."""
    from isocenter.data import atomic
    from isocenter.data.io import to_scan, write, write_cfl
    from isocenter.reports import json, reconstruction

    places = _beside(to)
    write(to_scan(made.image.abs(), prepared.kspace), to)
    written = [to]
    if made.deviation is not None:
        write(to_scan(made.deviation, prepared.kspace), places["uncertainty"])
        written.append(places["uncertainty"])
    if write_maps and made.maps is not None:
        write_cfl(made.maps, places["maps"])
        written.append(places["maps"])
    atomic.write_text(places["page"], reconstruction.page(report))
    atomic.write_text(places["document"], json.dump(reconstruction.document(report)))
    return [str(place) for place in (*written, places["document"], places["page"])]


def _head(source: Path, prepared: Prepared) -> str:
    kspace = prepared.kspace
    read = next((step for step in kspace.history if step.name == "read"), None)
    kind = str(read.params.get("format", "k-space")) if read else "k-space"
    rows, columns = kspace.grid
    return (
        f"{source.name}   {kind}, {_counted(kspace.n_slices, 'slice')}, "
        f"{_counted(kspace.n_coils, 'coil')}, {rows} x {columns}, "
        f"R={prepared.true_acceleration:.2f} ({prepared.mask_origin}), "
        f"ACS {kspace.mask.acs[0]} x {kspace.mask.acs[1]}   {kspace.data.device}"
    )


def _result(report: ReconstructionReport) -> str:
    scores = {score.name: score.value for score in report.scores}
    psnr, ssim = scores.get("psnr"), scores.get("ssim")
    near = "PSNR n/a (no reference)"
    if psnr is not None and ssim is not None:
        near = f"PSNR {psnr:.2f} dB   SSIM {ssim:.4f}"
    residual = "n/a" if report.residual is None else f"{100 * report.residual:.1f} %"
    n = len(report.slices)
    return f"{report.method}   {near}   data residual {residual}   {report.seconds / n:.1f} s/slice"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
