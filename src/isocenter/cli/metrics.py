"""``isocenter metrics``: measure scans, compare them with a reference, or read MRIQC's files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import inf
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from isocenter.cli._inputs import check_definition, check_reading, find, lengths
from isocenter.cli._lines import complain, speak_utf8
from isocenter.cli._measuring import Choices, Job, Result, died, work
from isocenter.cli._options import Options
from isocenter.datasets.mriqc import MEASURES, MeasuredScan
from isocenter.errors import InputError, UnknownName, UsageError

__all__ = ["metrics"]

SHORT = ("psnr", "ssim", "ms_ssim", "nmse", "haarpsi", "vif", "gmsd", "hfen", "nqm")
"""Metrics against a reference that are computed unless others are asked for."""
FILES = (".json", ".tsv")
"""Endings of MRIQC's files."""
PARTS = ("CSF", "GM", "WM")


@dataclass(frozen=True)
class Comparing:
    """How a scan is compared with a reference."""

    reference: Path | None = None
    """The same scan undamaged, on the same grid: compares instead of measuring."""
    all: bool = False
    """Every metric that compares, and not the short list."""
    data_range: float | None = None
    """Largest possible difference of two values; the reference's largest value unless given."""
    mask: Path | None = None
    """Compare where this file is above zero; inside the reference's head unless given."""
    no_mask: bool = False
    """Compare everywhere."""
    plane: Literal["sagittal", "coronal", "axial"] | None = None
    """Slices for metrics that take no volumes; axial unless given."""
    slices: bool = False
    """Give slices to the other metrics, too."""


@dataclass(frozen=True)
class Measuring:
    """How a scan is measured."""

    definition: str | None = None
    """Whose formulas: corrected (for scans unless given), mriqc-24 or mriqc-0.15."""
    population: str | None = None
    """Scans to compare with: abide or mr-art; abide unless given."""
    brain_mask: Path | None = None
    """Where the brain is, on the scan's grid; looked for unless given."""
    head_mask: Path | None = None
    """Where the head is, on the scan's grid; looked for unless given."""
    tissue: tuple[Path, Path, Path] | None = None
    """Probabilities of CSF, GM and WM: three files on the scan's grid."""
    template: tuple[Path, Path, Path] | None = None
    """Probabilities of CSF, GM and WM of a template, on any grid: it is registered to the scan."""
    derivatives: Path | None = None
    """STEM of STEM_label-CSF_probseg.nii.gz, GM, WM and, if there, STEM_desc-brain_mask.nii.gz."""
    out: Path | None = None
    """Folder for files as MRIQC's: NAME.json for each scan, and a group table of this run."""


@dataclass(frozen=True)
class Reading:
    """How scans are read and worked on."""

    workers: int = 1
    """How many scans to work on at once, each in its own process."""
    volume: int | None = None
    """Of a 4-D file, take only this volume, counted from 0."""
    series: str | None = None
    """Of a DICOM folder with several series, take this one: its number or UID."""
    contrast: str | None = None
    """Contrast of the scans (T1w, T2w, FLAIR, PDw), when the file does not say."""
    voxel_size: str | None = None
    """Voxel size in mm along the stored axes, as X,Y,Z, when the file does not say."""
    max_voxels: int = 512**3
    """Refuse scans with more voxels than this."""


def metrics(
    path: Annotated[tuple[Path, ...], Parameter(allow_leading_hyphen=False)],
    /,
    *,
    comparing: Annotated[Comparing, Parameter(name="*")] = Comparing(),
    only: str | None = None,
    measuring: Annotated[Measuring, Parameter(name="*")] = Measuring(),
    json: bool = False,
    quiet: bool = False,
    reading: Annotated[Reading, Parameter(name="*")] = Reading(),
) -> int:
    """Measure scans.

    Args:
        path: Scans, folders to search, or files of MRIQC (.json, .tsv).
        comparing: See there.
        only: Only these metrics or measures, as NAME,NAME; see `isocenter list metrics`.
        measuring: See there.
        json: Print one JSON document for each scan, each on one line, and nothing else.
        quiet: Print nothing but errors.
        reading: See there.
    """
    choices = _choices(comparing, measuring, reading, _names(only, comparing))
    jobs, n_failed = _jobs(path, choices, measuring)
    if choices.folder is not None:
        from isocenter.cli._assessing import prepare_folder

        prepare_folder(choices.folder)
    from isocenter.cli._batch import run_batch

    told = _Told(jobs, json=json, quiet=quiet)
    code = run_batch(
        work,
        jobs,
        died=died,
        each=told.add,
        n_scans=len(jobs),
        n_failed=n_failed,
        workers=reading.workers,
        quiet=quiet and not json,
    )
    if choices.folder is not None:
        _write_tables(told.measured, choices.folder)
    return code


@dataclass
class _Told:
    """Prints results as they come and keeps what goes into the tables."""

    jobs: Sequence[Job]
    json: bool
    quiet: bool
    measured: list[MeasuredScan] = field(default_factory=list)
    n_told: int = 0
    file: Path | None = None
    """Whose brief lines are being printed."""

    def add(self, result: Result) -> None:
        if result.measured is not None:
            self.measured.append(result.measured)
        if self.json:
            self._print_json(result)
        elif not self.quiet:
            self._print(result)
        self.n_told += 1

    def _print_json(self, result: Result) -> None:
        from isocenter.reports.json import dump

        speak_utf8()
        print(dump(result.document, compact=True), end="", flush=True)

    def _print(self, result: Result) -> None:
        from isocenter.cli._table import brief_head, brief_line, table

        n_scans = sum(job.path == result.scan for job in self.jobs)
        brief = n_scans > 1 and result.scan.suffix in FILES
        if self.n_told and not (brief and self.file == result.scan):
            print()
        if brief and self.file != result.scan:
            print(brief_head(result, n_scans))
        self.file = result.scan
        print(brief_line(result) if brief else table(result), flush=True)


def _choices(
    comparing: Comparing, measuring: Measuring, reading: Reading, names: tuple[str, ...]
) -> Choices:
    """All choices, checked before anything heavy is imported."""
    by_metrics = comparing.reference is not None or _are_metrics(names)
    check_reading(reading.workers, reading.volume, reading.max_voxels)
    _check_comparing(comparing, by_metrics=by_metrics)
    _check_measuring(measuring, by_metrics=by_metrics)
    maps, brain = _derivatives(measuring)
    return Choices(
        reading=Options(
            out=measuring.out or Path(),
            volume=reading.volume,
            series=reading.series,
            contrast=reading.contrast,
            voxel_size=lengths(reading.voxel_size),
            max_voxels=reading.max_voxels,
        ),
        definition=measuring.definition or "corrected",
        population=measuring.population or "abide",
        only=names,
        brain=brain,
        head=measuring.head_mask,
        tissue=maps,
        template=measuring.template,
        reference=comparing.reference,
        mask="everywhere" if comparing.no_mask else comparing.mask or "head",
        data_range=comparing.data_range,
        plane=comparing.plane or "axial",
        sliced=comparing.slices,
        folder=measuring.out,
    )


def _names(only: str | None, comparing: Comparing) -> tuple[str, ...]:
    """The metrics or measures that were asked for; none for all measures."""
    from isocenter.registry import measures
    from isocenter.registry import metrics as known

    if only is not None and comparing.all:
        raise UsageError("--only and --all exclude each other: leave one of them out")
    if only is None:
        return SHORT if comparing.reference is not None and not comparing.all else ()
    names = tuple(dict.fromkeys(name.strip() for name in only.split(",") if name.strip()))
    if not names:
        raise UsageError("--only names nothing: give metrics or measures as NAME,NAME")
    families = {*MEASURES, *measures.names(), *(n.rpartition("_")[0] for n in MEASURES)} - {""}
    kind = "metric" if comparing.reference else "metric or measure"
    among = known.names() if comparing.reference else (*known.names(), *sorted(families))
    for name in names:
        if name in families and comparing.reference is not None:
            raise UsageError(f"{name} is a measure of one scan: leave --reference out")
        if name not in among:
            raise UnknownName(kind, name, among)
    if 0 < len(set(names) & set(known.names())) < len(names):
        raise UsageError("--only names metrics and measures: ask for them one after the other")
    return names


def _are_metrics(names: tuple[str, ...]) -> bool:
    from isocenter.registry import metrics as known

    return bool(names) and names[0] in known.names()


def _check_comparing(options: Comparing, *, by_metrics: bool) -> None:
    given = _given(options)
    if given and not by_metrics:
        raise UsageError(f"{given[0]} is for a comparison: give --reference")
    if options.mask is not None and options.no_mask:
        raise UsageError("--mask and --no-mask exclude each other: leave one of them out")
    if options.data_range is not None and not 0 < options.data_range < inf:
        raise UsageError(f"--data-range is {options.data_range:g}: give a positive number")
    _check_there({"--reference": options.reference, "--mask": options.mask})


def _check_measuring(options: Measuring, *, by_metrics: bool) -> None:
    given = _given(options)
    if given and by_metrics:
        raise UsageError(f"{given[0]} is for measures of a scan, not for metrics: leave it out")
    check_definition(options.definition)
    if options.population is not None:
        from isocenter.datasets.populations import populations

        if options.population not in populations():
            raise UnknownName("population", options.population, populations())
    if options.tissue is not None and options.derivatives is not None:
        raise UsageError("--tissue and --derivatives exclude each other: leave one of them out")
    _check_there({"--brain-mask": options.brain_mask, "--head-mask": options.head_mask})
    for option, maps in (("--tissue", options.tissue), ("--template", options.template)):
        for map_ in maps or ():
            _check_there({option: map_})


def _given(options: Comparing | Measuring) -> list[str]:
    """The options that are not as they are by default."""
    return [
        "--" + one.name.replace("_", "-")
        for one in fields(options)
        if getattr(options, one.name) != one.default
    ]


def _check_there(files: Mapping[str, Path | None]) -> None:
    for option, file in files.items():
        if file is not None and not file.exists():
            raise UsageError(f"{option} {file}: there is no such file")


def _derivatives(options: Measuring) -> tuple[tuple[Path, Path, Path] | None, Path | None]:
    """Maps of tissue and the brain mask, as given or as BIDS names them."""
    if options.derivatives is None:
        return options.tissue, options.brain_mask
    stem = options.derivatives
    csf, gm, wm = (stem.with_name(f"{stem.name}_label-{p}_probseg.nii.gz") for p in PARTS)
    for file in (csf, gm, wm):
        _check_there({"--derivatives": file})
    brain = stem.with_name(f"{stem.name}_desc-brain_mask.nii.gz")
    return (csf, gm, wm), options.brain_mask or (brain if brain.exists() else None)


def _jobs(paths: Sequence[Path], choices: Choices, measuring: Measuring) -> tuple[list[Job], int]:
    """The work to do, and how many of ``paths`` came to nothing (each is told on stderr)."""
    from isocenter.study.names import result_names

    files = [path for path in paths if path.suffix in FILES and path.is_file()]
    scans: Sequence[Path] = ()
    jobs, n_failed = _known(files, choices, measuring)
    if not files or len(files) < len(paths):
        scans, n_missing = find([p for p in paths if p not in files], command="metrics")
        n_failed += n_missing
    names = result_names(scans)
    return [*jobs, *(Job(scan, names[scan], choices) for scan in scans)], n_failed


def _known(files: Sequence[Path], choices: Choices, measuring: Measuring) -> tuple[list[Job], int]:
    """The scans that files of MRIQC hold."""
    from isocenter.datasets.mriqc import read

    if not files:
        return [], 0
    if choices.reference is not None or _are_metrics(choices.only):
        raise UsageError(f"{files[0]} holds numbers and no image: give a scan")
    used = {"--definition", "--population"}
    for option in _given(measuring):
        if option not in used:
            raise UsageError(f"{option} is for scans, and {files[0]} holds numbers: leave it out")
    jobs: list[Job] = []
    n_failed = 0
    for file in files:
        try:
            scans = read(file, definition=measuring.definition)
        except InputError as error:
            complain(file, str(error).removeprefix(f"{file}: "))
            n_failed += 1
            continue
        jobs += [Job(file, scan.name, choices, scan) for scan in scans]
    return jobs, n_failed


def _write_tables(scans: Sequence[MeasuredScan], folder: Path) -> None:
    """A group table for each contrast, and its data dictionary."""
    from isocenter.reports.mriqc import write_table

    by_contrast: dict[str | None, list[MeasuredScan]] = defaultdict(list)
    for scan in scans:
        by_contrast[scan.contrast].append(scan)
    for contrast, some in by_contrast.items():
        name = f"group_{contrast}.tsv" if contrast else "group.tsv"
        write_table(some, folder / name)
