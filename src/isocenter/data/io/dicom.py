"""DICOM: a folder of slices, a single file, enhanced multi-frame images.

What is read of a header is numbers and codes; names, dates, descriptions, comments and
private tags are never read, so they cannot reach a result.

Reference: DICOM PS3.3 (2024e), C.7.6.2 image plane, C.8.3 and C.8.13 MR image modules.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from isocenter.data.io._dicom_classes import class_name, is_image_class
from isocenter.data.io._dicom_file import RawFile, looks_like_dicom, open_file
from isocenter.data.io._dicom_frames import Frame, read_frames
from isocenter.data.io._dicom_geometry import Placed, place
from isocenter.data.io._dicom_pixels import hash_files, number_type, read_pixels
from isocenter.data.io._dicom_series import Entry, SeriesLine, choose, group
from isocenter.data.io._door import printable
from isocenter.data.io._geometry import axis_codes
from isocenter.data.io._loaded import Loaded, Selection
from isocenter.data.scores import ScanFacts
from isocenter.errors import BadVolume, NeedsChoice, NothingFound

__all__ = ["ENDINGS", "SeriesLine", "count_volumes", "list_series", "load", "recognises"]

ENDINGS = (".dcm", ".ima")
MAX_FILES = 50_000
"""Files in one folder; more is a mistake in the path."""
HEAD = 132


def recognises(head: bytes, path: Path) -> bool:
    """Whether a file that begins with ``head`` is DICOM; its name does not matter."""
    return looks_like_dicom(head)


def list_series(folder: Path, max_voxels: int = Selection.max_voxels) -> tuple[SeriesLine, ...]:
    """The scans in a folder (or file), numbered as ``--series`` takes them.

    Raises:
        BadVolume: A DICOM file is damaged, or none holds an MR image.
    """
    frames, _ = _frames(Path(folder), max_voxels)
    return tuple(entry.line for entry in group(frames))


def count_volumes(path: Path) -> int:
    """How many repetitions the one scan of a folder or file has; 1 where there are several.

    Raises:
        BadVolume: A DICOM file is damaged, or none holds an MR image.
    """
    lines = list_series(path)
    return lines[0].n_volumes if len(lines) == 1 else 1


def load(path: Path, selection: Selection) -> Loaded:
    """Read one scan from a folder (searched with its subfolders) or from one file.

    Raises:
        BadVolume: A file is damaged, or the slices make no even stack.
        NeedsChoice: There are several scans or repetitions and none was chosen.
        MissingExtra: The pixels are compressed in a way that needs a decoder.
        NothingFound: The folder holds no DICOM file.
    """
    frames, notes = _frames(path, selection.max_voxels)
    entry = choose(group(frames), selection.series)
    volume = _volume(entry, selection)
    _check_budget(volume, selection.max_voxels)
    placed = place(volume, selection.voxel_size)
    data = read_pixels(placed.frames)
    facts = _facts(path, placed, notes, data.shape)
    return Loaded(data, placed.affine, facts, len(entry.volumes))


def _frames(path: Path, max_voxels: int) -> tuple[list[Frame], list[str]]:
    if not path.is_dir():
        return list(read_frames(open_file(path), max_voxels)), []
    files, notes = _scan_files(path)
    frames = [frame for raw in files for frame in read_frames(raw, max_voxels)]
    return frames, notes


def _scan_files(folder: Path) -> tuple[list[RawFile], list[str]]:
    """The files with MR images, and notes on those that were passed over."""
    files, others = [], Counter[str]()
    for path in _walk(folder):
        if not _is_dicom(path):
            others["no DICOM"] += 1
            continue
        raw = open_file(path)
        if is_image_class(raw.sop_class):
            files.append(raw)
        else:
            others[class_name(raw.sop_class)] += 1
    listed = ", ".join(f"{count} {name}" for name, count in sorted(others.items()))
    if not files:
        kinds = f"only {listed}" if others else "it is empty"
        raise _nothing(others, f"{printable(folder.name)}: no MR images in this folder: {kinds}")
    return files, [f"files passed over: {listed}"] if others else []


def _nothing(others: Counter[str], message: str) -> BadVolume | NothingFound:
    return BadVolume(message) if set(others) - {"no DICOM"} else NothingFound(message)


def _walk(folder: Path) -> Iterator[Path]:
    """Files below ``folder`` in a fixed order; hidden ones and linked folders are left out."""
    seen = 0
    for place_, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.startswith(".") or name == "DICOMDIR":
                continue
            seen += 1
            if seen > MAX_FILES:
                raise BadVolume(
                    f"{printable(folder.name)}: more than {MAX_FILES:,} files: name one series"
                )
            yield Path(place_, name)


def _is_dicom(path: Path) -> bool:
    """Whether to open the file; a file named as DICOM is opened, and refused, by name."""
    if path.suffix.lower() in ENDINGS:
        return True
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with open(path, "rb") as file:
            return looks_like_dicom(file.read(HEAD))
    except OSError:
        return False


def _volume(entry: Entry, selection: Selection) -> tuple[Frame, ...]:
    count, asked = len(entry.volumes), selection.volume
    if asked is None and count > 1:
        raise NeedsChoice(f"the scan has {count} volumes; choose one with --volume 0..{count - 1}")
    if not 0 <= (asked or 0) < count:
        raise NeedsChoice(f"no volume {asked}: the scan has {count}, numbered from 0")
    return entry.volumes[asked or 0]


def _check_budget(frames: Sequence[Frame], max_voxels: int) -> None:
    pixels = frames[0].file.pixels
    asked = pixels.rows * pixels.columns * len(frames)
    if asked > max_voxels:
        raise BadVolume(
            f"header asks {pixels.columns} x {pixels.rows} x {len(frames)} = {asked:,} voxels; "
            f"the limit is {max_voxels:,}: raise it with --max-voxels"
        )


def _facts(path: Path, placed: Placed, notes: list[str], shape: tuple[int, ...]) -> ScanFacts:
    file = placed.frames[0].file
    spacing = np.linalg.norm(placed.affine[:3, :3], axis=0)
    forced = [note for frame in placed.frames for note in frame.file.warnings]
    return ScanFacts(
        name=printable(path.name or path.resolve().name),
        sha256=hash_files(placed.frames),
        format="DICOM",
        shape=shape,
        spacing=tuple(spacing.tolist()),
        dtype=number_type(file.pixels).name,
        orientation=axis_codes(placed.affine),
        contrast=file.contrast,
        warnings=tuple(dict.fromkeys([*notes, *forced, *placed.warnings])),
    )
