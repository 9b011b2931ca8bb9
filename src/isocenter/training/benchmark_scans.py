"""The clean scans of a distortion benchmark, and the names of the images made from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from isocenter import registry
from isocenter.artifacts import Version, make_version
from isocenter.data.io import read
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume
from isocenter.datasets.collection import sources
from isocenter.datasets.label_heads import paint_head
from isocenter.errors import NothingFound, UnknownName
from isocenter.training.examples import with_field_of_view

__all__ = ["FOLDERS", "BenchmarkScan", "Image", "benchmark_scans", "clean_scan", "distorted"]

FOLDERS = ("brains", "dicom", "heads", "labels", "ms", "spine")
"""Folders of the collection whose scans are known by name."""
_PICKED: Mapping[str, Mapping[str, str]] = {
    "heads": {
        "glioma_FLAIR.nii.gz": "glioma",
        "glioma_T1.nii.gz": "glioma",
        "glioma_T1c.nii.gz": "glioma",
        "glioma_T2.nii.gz": "glioma",
        "shading_weak_T1w.nii": "shading",
    },
    # Whether these are one or several people is not written down: they stay together.
    "spine": dict.fromkeys(
        ("mt_mt0.nii.gz", "mt_mt1.nii.gz", "t1_t1w.nii.gz", "t2_t2.nii.gz"), "spine"
    ),
}
"""Undamaged scans, and whose each is, of folders that hold other files too."""


@dataclass(frozen=True)
class BenchmarkScan:
    """A clean scan, or a label map that one is painted from."""

    person: str
    name: str
    """Unique among this person's; chance is drawn by it, as ``isocenter simulate`` does."""
    path: Path
    is_labels: bool = False


@dataclass(frozen=True)
class Image:
    """One image of the benchmark: a version of a scan."""

    scan: BenchmarkScan
    version: Version
    seed: int
    """Of the benchmark; another one draws the same versions anew."""

    @property
    def name(self) -> str:
        """As in ``sub-01_T1w blur_2``; unique within a benchmark."""
        level = f"_{self.version.level}" if self.version.level else ""
        return f"{self.scan.name.strip('/')} {self.version.artifact}{level}"


def benchmark_scans(data: Path, source: str) -> tuple[BenchmarkScan, ...]:
    """The clean scans of one or several sources, by person and name.

    Args:
        data: The collection's folder, or that of a data set.
        source: Folders of the collection (``brains``, ``labels``, ...) or layouts
            (``isocenter datasets list``), joined by ``+``.

    Raises:
        UnknownName: Neither a folder of the collection nor a layout.
        NothingFound: A source has no scan there.
    """
    found = [scan for part in source.split("+") for scan in _scans_of(data, part)]
    return tuple(sorted(found, key=lambda scan: (scan.person, scan.name)))


def clean_scan(scan: BenchmarkScan, *, padded: bool, seed: int) -> Volume:
    """The undamaged image that all versions of a scan are made from.

    Args:
        scan: Which one.
        padded: Put a cropped scan back into a scanner's field of view, which ghosts need to
            wrap around as they do in life.
        seed: Decides what a label map is painted like, and the field of view.
    """
    image = replace(read(scan.path), history=())
    rng = child(generator(seed), "clean", scan.person, scan.name)
    if scan.is_labels:
        image = paint_head(image, rng=rng)
    image = replace(image, data=image.data.clamp_min(0))
    return with_field_of_view(image, rng=child(rng, "field of view")) if padded else image


def distorted(clean: Volume, image: Image) -> Volume:
    """The image, as ``isocenter simulate`` writes it but for the rounding of its file."""
    scan = image.scan
    return make_version(
        clean, image.version, person=scan.person, scan_name=scan.name, seed=image.seed
    )


def _scans_of(data: Path, source: str) -> Sequence[BenchmarkScan]:
    if source in _PICKED:
        found = _picked(data, source)
    elif source in FOLDERS:
        found = _of_collection(data, source)
    elif source in registry.datasets.names():
        layout = registry.datasets.get(source).LAYOUT
        found = [
            BenchmarkScan(s.person, f"{s.session or ''}/{_stem(s.path)}", s.path)
            for s in layout.index(data)
        ]
    else:
        raise UnknownName("source", source, (*FOLDERS, *registry.datasets.names()))
    if not found:
        raise NothingFound(f"no scans of {source!r} in {data}; give the folder that holds them")
    return found


def _picked(data: Path, folder: str) -> list[BenchmarkScan]:
    paths = [data / folder / name for name in _PICKED[folder]]
    return [
        BenchmarkScan(_PICKED[folder][path.name], f"/{_stem(path)}", path)
        for path in paths
        if path.exists()
    ]


def _of_collection(data: Path, folder: str) -> list[BenchmarkScan]:
    return [
        BenchmarkScan(
            source.person.split("/")[1],
            f"/{_stem(source.path)}",
            source.path,
            is_labels=source.kind == "labels",
        )
        for source in sources(data)
        if source.path.parent.name == folder
    ]


def _stem(path: Path) -> str:
    """The file's name without its endings."""
    return path.name.split(".")[0]
