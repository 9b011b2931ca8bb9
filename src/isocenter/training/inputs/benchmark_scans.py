"""The clean scans of a distortion benchmark, and the names of the images made from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from isocenter import registry
from isocenter.artifacts import Version
from isocenter.data.io import cropped, read
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume
from isocenter.datasets.benchmark import scan_name
from isocenter.datasets.collection import sources
from isocenter.datasets.label_heads import paint_head
from isocenter.datasets.scan import Scan
from isocenter.errors import NothingFound, UnknownName
from isocenter.training.inputs.examples import with_field_of_view

__all__ = ["FOLDERS", "Image", "benchmark_scans", "clean_scan"]

FOLDERS = ("brains", "dicom", "heads", "labels", "ms", "spine")
"""Folders of the collection whose scans are known by name."""
LABELS = "labels"
"""The one that holds label maps."""
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
class Image:
    """One image of the benchmark: a version of a scan."""

    scan: Scan
    version: Version
    seed: int
    """Of the benchmark; another one draws the same versions anew."""

    @property
    def name(self) -> str:
        """As in ``sub-01_T1w blur_2``; unique within a benchmark."""
        level = f"_{self.version.level}" if self.version.level else ""
        return f"{scan_name(self.scan).strip('/')} {self.version.artifact}{level}"


def benchmark_scans(data: Path, source: str) -> tuple[Scan, ...]:
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
    return tuple(sorted(found, key=lambda scan: (scan.person, scan_name(scan))))


def clean_scan(
    scan: Scan, *, padded: bool, seed: int, crop: tuple[int, int, int] | None = None
) -> Volume:
    """The undamaged image that all versions of a scan are made from.

    Args:
        scan: Which one; of the folder ``labels``, a label map that a head is painted from.
        padded: Put a cropped scan back into a scanner's field of view, which ghosts need to
            wrap around as they do in life.
        seed: Decides what a label map is painted like, and the field of view.
        crop: Keep only so many voxels in the middle, along the axes of the file.

    Raises:
        BadVolume: The scan is smaller than the crop.
    """
    whole = read(scan.path, contrast=scan.contrast)
    image = replace(whole if crop is None else cropped(whole, crop), history=())
    rng = child(generator(seed), "clean", scan.person, scan_name(scan))
    if scan.dataset == LABELS:
        image = paint_head(image, rng=rng)
    image = replace(image, data=image.data.clamp_min(0))
    return with_field_of_view(image, rng=child(rng, "field of view")) if padded else image


def _scans_of(data: Path, source: str) -> Sequence[Scan]:
    if source in _PICKED:
        found = _picked(data, source)
    elif source in FOLDERS:
        found = _of_collection(data, source)
    elif source in registry.datasets.names():
        found = registry.datasets.get(source).LAYOUT.index(data)
    else:
        raise UnknownName("source", source, (*FOLDERS, *registry.datasets.names()))
    if not found:
        raise NothingFound(f"no scans of {source!r} in {data}; give the folder that holds them")
    return found


def _picked(data: Path, folder: str) -> list[Scan]:
    paths = [data / folder / name for name in _PICKED[folder]]
    return [
        Scan(_PICKED[folder][path.name], path, None, None, folder)
        for path in paths
        if path.exists()
    ]


def _of_collection(data: Path, folder: str) -> list[Scan]:
    return [
        Scan(source.person.split("/")[1], source.path, source.contrast, None, folder)
        for source in sources(data)
        if source.path.parent.name == folder
    ]
