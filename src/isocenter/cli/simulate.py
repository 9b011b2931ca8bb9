"""``isocenter simulate``: undamaged scans in, a benchmark of known damage out."""

from __future__ import annotations

import contextlib
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from isocenter.errors import UsageError

if TYPE_CHECKING:
    from isocenter.study._benchmark_plan import Crop
    from isocenter.study.simulate import Failed, Job, Simulated

__all__ = ["simulate"]

SCANS = (".nii", ".nii.gz")


def simulate(
    source: Path,
    out: Path | None = None,
    /,
    *,
    preset: str = "hsfnet-2025",
    artifacts: str | None = None,
    levels: str = "1-4",
    n: Annotated[int | None, Parameter(name="--n")] = None,
    seed: int = 0,
    dataset: str | None = None,
    crop: str | None = None,
    storage: Literal["auto", "int16", "float32"] = "auto",
    workers: int = 1,
    dask: str | None = None,
    shard: str = "1/1",
    resume: bool = False,
    verify: bool = False,
    dry_run: bool = False,
    quiet: bool = False,
) -> int:
    """Put every artifact at every level into every scan.

    Args:
        source: Folder of undamaged scans, or one scan. It is only read. Or `list`, alone: what
            the presets hold.
        out: Folder for the results, outside of it; made if it is missing.
        preset: What a level means; see `isocenter list presets`.
        artifacts: Names with commas between them; those of the preset unless given.
        levels: As 1-4 or 1,3.
        n: Make only so many images, spread evenly over scans and versions.
        seed: Chooses what is drawn; the same seed gives the same files.
        dataset: Layout of SOURCE; see `isocenter datasets list`. BIDS or a plain folder unless
            given.
        crop: Cut the middle out of every scan first: published, for what HSFNet's benchmark cuts
            this data set to, or voxels along the file's axes, as 256,256,130.
        storage: int16, float32, or auto: int16 for each image that loses next to nothing by it.
        workers: How many scans to work on at once, each in its own process.
        dask: Work on the cluster of this Dask scheduler instead, as tcp://host:8786.
        shard: Make only part K of N, as 3/20; the last part joins the tables of all.
        resume: Go on where an interrupted run stopped.
        verify: With --resume, hash what is there, and make again what has changed.
        dry_run: Say how many images, bytes and seconds it would take, and write nothing.
        quiet: Print nothing but errors.
    """
    if out is None:
        return _list(source)
    from isocenter.artifacts import benchmark_versions
    from isocenter.study.sources import find_sources

    if workers < 1:
        raise UsageError(f"--workers is {workers}: give 1 or more")
    part = _shard(shard)
    names = None if artifacts is None else [name.strip() for name in artifacts.split(",")]
    versions = benchmark_versions(preset, names, _levels(levels))
    if out.name.lower().endswith(SCANS):
        raise UsageError(
            f"{out}: the results are a folder; for a single image use isocenter distort"
        )
    found = find_sources(source, dataset)
    from isocenter.study.simulate import make_job

    job = make_job(
        found.scans,
        versions,
        source=source,
        out=out,
        seed=seed,
        storage=storage,
        n_images=n,
        shard=part,
        crop=_crop(crop),
    )
    _complain_about(found.broken)
    if dry_run:
        _print_estimate(job, workers)
        return 3 if found.broken else 0
    simulated = _simulated(job, workers, dask, resume, verify, quiet)
    if not quiet:
        _print(job, simulated)
    codes = {one.code for one in simulated.failed} | ({3} if found.broken else set())
    return next((code for code in (1, 6, 5, 2, 3) if code in codes), 0)


def _list(source: Path) -> int:
    """The artifacts of each preset.

    Raises:
        UsageError: Another word than ``list``.
    """
    if str(source) != "list":
        raise UsageError(f"{source}: give the folder for the results behind it, or say `list`")
    from isocenter.artifacts import PRESETS
    from isocenter.cli.listing import entries

    sentences = dict(entries("artifacts"))
    for preset, names in PRESETS.items():
        print(f"preset {preset}: levels 1 (slight) to 4 (severe)")
        for name in names:
            print(f"  {name:<15}  {sentences[name]}")
    return 0


def _levels(given: str) -> tuple[int, ...]:
    """
    Raises:
        UsageError: Neither a range nor a list of whole numbers.
    """
    try:
        first, dash, last = given.partition("-")
        if dash:
            return tuple(range(int(first), int(last) + 1))
        return tuple(int(level) for level in given.split(","))
    except ValueError:
        raise UsageError(f"--levels is {given!r}: give them as 1-4 or 1,3") from None


def _shard(given: str) -> tuple[int, int]:
    """
    Raises:
        UsageError: It is not ``K/N``.
    """
    part, _, n_parts = given.partition("/")
    if not (part.isdecimal() and n_parts.isdecimal()):
        raise UsageError(f"--shard is {given!r}: give a part and the number of parts, as 3/20")
    return int(part), int(n_parts)


def _crop(given: str | None) -> Crop | None:
    """
    Raises:
        UsageError: Neither ``published`` nor three whole numbers.
    """
    if given is None:
        return None
    if given == "published":
        return "published"
    try:
        x, y, z = map(int, given.split(","))
    except ValueError:
        raise UsageError(f"--crop is {given!r}: say published, or give 256,256,130") from None
    return x, y, z


def _complain_about(broken: tuple[tuple[Path, str], ...]) -> None:
    from isocenter.cli._lines import complain

    for path, what in broken:
        complain(path, what)


def _simulated(
    job: Job, workers: int, dask: str | None, resume: bool, verify: bool, quiet: bool
) -> Simulated:
    from isocenter.study.simulate import simulate as run

    with _watched(len(job.own_units), quiet) as on_batch:
        return run(job, workers=workers, resume=resume, verify=verify, dask=dask, on_batch=on_batch)


@contextlib.contextmanager
def _watched(n_images: int, quiet: bool) -> Iterator[Callable[[int, list[Failed]], None]]:
    """Complaints on stderr, and a bar when somebody watches."""
    from isocenter.cli._lines import complain

    with contextlib.ExitStack() as stack:
        advance: Callable[[bool], None] = lambda failed: None  # noqa: E731
        if not quiet and sys.stderr.isatty():
            from isocenter.cli._progress import bar

            advance = stack.enter_context(bar(n_images, "images"))

        def on_batch(n_ended: int, failed: list[Failed]) -> None:
            for one in failed:
                complain(one.source, one.why)
            n_failed = sum(one.n_images for one in failed)
            for i in range(n_ended):
                advance(i < n_failed)

        yield on_batch


def _print_estimate(job: Job, workers: int) -> None:
    from isocenter.study.simulate import estimate

    guess = estimate(job, workers=workers)
    print(f"{_counted(guess.n_images, 'image')} of {_people(job)} to make")
    if guess.n_images:
        print(
            f"about {_bytes(guess.n_bytes)} and {_duration(guess.seconds)} with "
            f"{_counted(workers, 'worker')}, if all scans are like {guess.sample.name}"
        )


def _print(job: Job, simulated: Simulated) -> None:
    n_failed = sum(one.n_images for one in simulated.failed)
    n_there = simulated.n_kept + simulated.n_made
    told = f"{job.out}: {_counted(n_there, 'image')} of {_people(job)}"
    if simulated.n_kept:
        told += f", {simulated.n_made} of them new"
    print(told + (f"; {n_failed} could not be made" if n_failed else ""))
    if simulated.whole:
        print("labels.tsv + labels.json: artifact, level and parameters drawn of each image")
        print(f"split by person: {_sides(job)}")
    else:
        print(f"shard {job.shard[0]} of {job.shard[1]}; labels.tsv follows with the last one")


def _sides(job: Job) -> str:
    from isocenter.datasets.benchmark import SIDES, read_benchmark

    images = Counter(image.split for image in read_benchmark(job.out))
    return ", ".join(f"{side} {images[side]}" for side in SIDES)


def _people(job: Job) -> str:
    n_people = len({scan.person for scan in job.scans})
    people = "1 person" if n_people == 1 else f"{n_people} people"
    return f"{_counted(len(job.scans), 'scan')} of {people}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _bytes(number: int) -> str:
    """
    >>> _bytes(2_345_000_000)
    '2.3 GB'
    """
    power = min(4, max(0, math.floor(math.log10(max(number, 1)) / 3)))
    return (
        f"{number / 1000**power:.{1 if power else 0}f} {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"
    )


def _duration(seconds: float) -> str:
    """
    >>> _duration(59.0), _duration(3700.0), _duration(200_000.0)
    ('59 s', '1 h 2 min', '55 h 33 min')
    """
    if seconds < 60:
        return f"{math.ceil(seconds)} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
