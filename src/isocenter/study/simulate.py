"""A benchmark of known damage: many scans, each in every version, written and put on record.

Every image is a function of its scan, its names and the seed.  So the bytes are the same
whatever the number of processes or machines and their order, and a run that was killed goes on
with what is missing.
"""

import math
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from isocenter.data import atomic
from isocenter.data.phantom import head_phantom
from isocenter.data.volume import Volume
from isocenter.errors import InputError, ResourceError, UsageError
from isocenter.study._benchmark_images import (
    Batch,
    Failed,
    Made,
    batches,
    died,
    draw,
    make,
    read_source,
    write_image,
)
from isocenter.study._benchmark_plan import Job, Storage, Unit, make_job
from isocenter.study._benchmark_records import claim, is_done, write_part
from isocenter.study._cluster import run_on_cluster
from isocenter.study._threads import one_thread
from isocenter.study.run import run

__all__ = ["Estimate", "Failed", "Job", "Simulated", "Storage", "estimate", "make_job", "simulate"]

N_TRIED = 7
"""About how many versions a trial makes: every third of 21, so that all levels come about."""

SMALL = (16, 16, 16)


@dataclass
class Simulated:
    """What became of a job."""

    n_images: int
    """Of this shard."""
    n_kept: int = 0
    """Were there before."""
    n_made: int = 0
    failed: list[Failed] = field(default_factory=list)
    """One for each scan and reason."""
    whole: bool = False
    """Whether the table of all images was written, and not only that of a shard."""

    def add(self, made: Made) -> list[Failed]:
        """Count a batch; returns what had not been told before."""
        self.n_made += made.n_made
        new = []
        for one in made.failed:
            known = [(old.source, old.why) for old in self.failed]
            if (one.source, one.why) in known:
                place = known.index((one.source, one.why))
                n_images = self.failed[place].n_images + one.n_images
                self.failed[place] = replace(one, n_images=n_images)
            else:
                self.failed.append(one)
                new.append(one)
        return new


@dataclass(frozen=True)
class Estimate:
    """What a job would take, if all scans are like the first one."""

    n_images: int
    n_bytes: int
    seconds: float
    sample: Path
    """The scan that was tried."""


def simulate(
    job: Job,
    *,
    workers: int = 1,
    resume: bool = False,
    verify: bool = False,
    dask: str | None = None,
    on_batch: Callable[[int, list[Failed]], None] | None = None,
) -> Simulated:
    """Make the images of a job that are not there yet, and the table of all.

    Args:
        job: From :func:`make_job`.
        workers: Number of processes on this machine.
        resume: Go on with a job that was begun; without it such a folder is refused.
        verify: Hash the images that are there, and make those again that have changed.
        dask: Address of a Dask scheduler whose workers see the same files; instead of
            ``workers``.
        on_batch: Called with how many images came to an end, and what failed for the first time.

    Raises:
        UsageError: The folder belongs to another job or to something else, it was begun and
            ``resume`` is not given, or no scheduler answers.
        MissingExtra: ``dask`` needs a package that is not installed.
        ResourceError: Disk full, or not to be written to; what is there stays.
    """
    if workers < 1:
        raise UsageError(f"workers is {workers}: give 1 or more")
    claim(job)
    mine = job.own_units
    missing = tuple(unit for unit in mine if not is_done(job, unit, verify=verify))
    n_kept = len(mine) - len(missing)
    if n_kept and not resume:
        raise UsageError(
            f"{job.out} holds {n_kept} of the {len(mine)} images of this job: add --resume to go on"
        )
    simulated = Simulated(len(mine), n_kept)
    tasks = tuple(batches(job, missing))
    with one_thread(), closing(_results(tasks, workers, dask)) as results:
        for position, made in results:
            new = simulated.add(made)
            fatal = next((one for one in made.failed if one.fatal), None)
            if fatal is not None:
                raise ResourceError(fatal.why)
            if on_batch is not None:
                on_batch(len(tasks[position].units), new)
    _sweep(job)
    simulated.whole = write_part(job)
    return simulated


def _results(
    tasks: tuple[Batch, ...], workers: int, dask: str | None
) -> Generator[tuple[int, Made]]:
    if dask is not None:
        yield from run_on_cluster(make, tasks, address=dask, on_death=died)
    else:
        yield from run(make, tasks, workers=workers, on_death=died)


def _sweep(job: Job) -> None:
    """Remove what killed processes left; other shards may be writing beside us."""
    folders = {(job.out / unit.file).parent for unit in job.own_units}
    for folder in folders if job.shard[1] > 1 else folders | {job.out}:
        atomic.sweep(folder)


def estimate(job: Job, *, workers: int = 1) -> Estimate:
    """Try some versions of the first scan that can be read; nothing is left on the disk.

    Args:
        job: From :func:`make_job`; what is there already counts as made.
        workers: Number of processes; each is taken to be as fast as the one that tries.

    Raises:
        InputError: No scan can be read.
    """
    missing = tuple(unit for unit in job.own_units if not is_done(job, unit))
    if not missing:
        return Estimate(0, 0, 0.0, job.root)
    unit, clean, reading = _first(job, missing)
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        batch = Batch((), job.seed, Path(folder), job.storage)
        trials = [
            replace(unit, version=version)
            for version in job.versions[:: max(1, len(job.versions) // N_TRIED)]
        ]
        for trial in trials:
            _try(head_phantom(SMALL), trial, batch)  # compiles what is compiled once
        tried = [_try(clean, trial, batch) for trial in trials]
    n_bytes, seconds = (sum(values) / len(trials) for values in zip(*tried, strict=True))
    n_readings = sum(1 for _ in batches(job, missing))
    total = (len(missing) * seconds + n_readings * reading) / min(workers, n_readings)
    return Estimate(len(missing), math.ceil(len(missing) * n_bytes), total, unit.scan.path)


def _first(job: Job, units: tuple[Unit, ...]) -> tuple[Unit, Volume, float]:
    """The first unit whose scan can be read, the scan, and the seconds that reading takes."""
    for unit in {unit.scan: unit for unit in units}.values():
        start = time.perf_counter()
        try:
            clean = read_source(unit.scan, job.crop_of(unit.scan))
        except InputError:
            continue
        return unit, clean, time.perf_counter() - start
    raise InputError("no scan can be read: run simulate without --dry-run to see why")


def _try(clean: Volume, unit: Unit, batch: Batch) -> tuple[int, float]:
    """Bytes and seconds of one image."""
    start = time.perf_counter()
    record = write_image(draw(clean, unit, batch.seed), unit, batch)
    seconds = time.perf_counter() - start
    return (batch.out / unit.file).stat().st_size + record.stat().st_size, seconds
