"""NIfTI-1, NIfTI-2 and Analyze 7.5: ``.nii``, ``.hdr``/``.img`` pairs, all also gzipped.

Reference: https://nifti.nimh.nih.gov, doi:10.1007/978-3-540-68017-8 for Analyze 7.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from isocenter.data.io._door import Entrance, enter, file_size, printable
from isocenter.data.io._geometry import axis_codes, checked_affine, spacing_of, with_spacing
from isocenter.data.io._loaded import Loaded, Selection
from isocenter.data.io._names import contrast_of
from isocenter.data.io._nifti_affine import affine_of
from isocenter.data.io._nifti_header import Header, dimensions, parse_header
from isocenter.data.io._raw import Layout, read_stored, refuse_bomb, refuse_impossible
from isocenter.data.io._values import scaled
from isocenter.data.scores import ScanFacts
from isocenter.errors import BadVolume

__all__ = ["ENDINGS", "count_volumes", "load", "recognises"]

ENDINGS = (".nii", ".nii.gz", ".hdr", ".hdr.gz", ".img", ".img.gz")

_TYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    32: "c8",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
    1792: "c16",
}
_COLOURS = {128: "RGB24", 2304: "RGBA32"}
_VECTOR = 1007


@dataclass(frozen=True)
class _Opened:
    """A header that made sense, and where its numbers are."""

    header: Header
    layout: Layout
    image: Path
    shape: tuple[int, ...]
    warnings: tuple[str, ...]


def recognises(head: bytes, path: Path) -> bool:
    """Whether a file that begins with ``head`` (decompressed) is one of these formats.

    The image half of a pair has no mark of its own; its name and its header tell.
    """
    try:
        header = parse_header(head)
    except BadVolume:
        return True
    return header is not None


def count_volumes(path: Path) -> int:
    """Volumes along the fourth axis, from the header alone.

    Raises:
        BadVolume: The header makes no sense.
    """
    opened = _open(path)
    refuse_impossible(opened.image, opened.layout)
    refuse_bomb(opened.image, opened.layout)
    return opened.layout.n_volumes


def load(path: Path, selection: Selection) -> Loaded:
    """Read one volume.

    Args:
        path: The file, or either half of a pair.
        selection: ``volume`` must be given where there are several.

    Raises:
        BadVolume: Damaged, not an image of this format, or above the budget.
        NeedsChoice: Several volumes and none chosen.
    """
    opened = _open(path)
    header, layout = opened.header, opened.layout
    affine, notes = affine_of(header, layout.shape)
    if selection.voxel_size is not None:
        affine = with_spacing(np.nan_to_num(affine), selection.voxel_size)
        notes = [note for note in notes if "voxel size missing" not in note]
    notes += checked_affine(affine, layout.shape)
    stored = read_stored(opened.image, layout, selection)
    slope, intercept, said = _slope(header)
    if layout.dtype.kind == "c":
        said.append("complex image: its magnitude was used")
    digest = stored.sha256 if header.single_file else _pair_digest(path, opened.image)
    facts = ScanFacts(
        name=printable(path.name),
        sha256=digest,
        format=header.format,
        shape=opened.shape,
        spacing=spacing_of(affine),
        dtype=layout.dtype.newbyteorder("=").name,
        orientation=axis_codes(affine),
        contrast=contrast_of(path.name),
        warnings=(*opened.warnings, *notes, *stored.warnings, *said),
    )
    return Loaded(scaled(stored.raw, slope, intercept), affine, facts, layout.n_volumes)


def _open(path: Path) -> _Opened:
    path = _header_path(path)
    entrance = enter(path)
    header = parse_header(entrance.head)
    if header is None:
        raise BadVolume(f"not a NIfTI header: {_short_or_strange(entrance)}")
    shape = dimensions(header)
    sides, n_volumes = _three_and_volumes(header, shape)
    image = path if header.single_file else _companion(path)
    offset, notes = _offset(header, file_size(image) if not entrance.compressed else None)
    layout = Layout(sides, n_volumes, _dtype(header), offset)
    if header.format == "Analyze 7.5":
        notes += _unread_matrix(path)
    warnings = (*entrance.name_warnings, *header.warnings, *notes)
    return _Opened(header, layout, image, shape, warnings)


def _unread_matrix(path: Path) -> list[str]:
    """SPM keeps an affine in a Matlab file; nothing in it is trusted."""
    matrix = path.with_name(path.name.split(".hdr")[0] + ".mat")
    return [f"{printable(matrix.name)} beside the image is not read"] if matrix.exists() else []


def _short_or_strange(entrance: Entrance) -> str:
    if len(entrance.head) < 348:
        return f"the file has only {len(entrance.head)} bytes of content"
    return "its first bytes are something else; export the scan again"


def _three_and_volumes(header: Header, shape: tuple[int, ...]) -> tuple[tuple[int, int, int], int]:
    padded = (*shape, 1, 1, 1, 1)
    if prod(padded[4:]) > 1:
        size = " x ".join(map(str, shape))
        what = "vector image" if int(header.number("intent_code")) == _VECTOR else "image"
        raise BadVolume(f"5-D {what} of {size}: give one 3-D or 4-D image")
    x, y, z, n_volumes = padded[:4]
    return (x, y, z), n_volumes


def _dtype(header: Header) -> np.dtype[np.generic]:
    code = int(header.number("datatype"))
    if code in _COLOURS:
        raise BadVolume(f"colour image ({_COLOURS[code]}): not an MR magnitude image")
    if code not in _TYPES:
        known = ", ".join(map(str, _TYPES))
        raise BadVolume(f"header field datatype is {code}: known are {known}")
    return np.dtype(_TYPES[code]).newbyteorder(">" if header.big_endian else "<")


def _offset(header: Header, file_bytes: int | None) -> tuple[int, list[str]]:
    value = header.number("vox_offset")
    if not math.isfinite(value):
        raise BadVolume(f"header field vox_offset is {value}: mend the header")
    offset = int(value)
    if offset < 0:
        raise BadVolume(f"header field vox_offset is negative ({offset}): mend the header")
    if file_bytes is not None and offset >= file_bytes:
        raise BadVolume(
            f"header field vox_offset ({offset:,}) lies beyond the file of {file_bytes:,} bytes"
        )
    least = header.size + 4 if header.single_file else 0
    if offset < least:
        return least, [f"header field vox_offset is {offset}: {least} was used"]
    return offset, []


def _slope(header: Header) -> tuple[float, float, list[str]]:
    slope, intercept = header.number("scl_slope"), header.number("scl_inter")
    if header.format == "Analyze 7.5":
        slope, intercept = _analyze_slope(header, slope, intercept)
    if slope == 0:
        note = f"scale slope is 0: intercept {intercept:g} ignored, raw values used"
        return 1.0, 0.0, [note] if intercept and math.isfinite(intercept) else []
    if not math.isfinite(slope):
        kind = "not a number" if math.isnan(slope) else "infinite"
        return 1.0, 0.0, [f"scale slope is {kind}; raw values used"]
    if not math.isfinite(intercept):
        return slope, 0.0, ["scale intercept is not finite; 0 used"]
    return slope, intercept, []


def _analyze_slope(header: Header, slope: float, intercept: float) -> tuple[float, float]:
    """SPM2 keeps the slope where NIfTI does; else the calibrated range says it."""
    if slope and math.isfinite(slope):
        return slope, intercept if math.isfinite(intercept) else 0.0
    stored = header.number("glmax") - header.number("glmin")
    real = header.number("cal_max") - header.number("cal_min")
    if not stored or not real or not math.isfinite(real):
        return 0.0, 0.0
    return real / stored, header.number("cal_min") - real / stored * header.number("glmin")


def _header_path(path: Path) -> Path:
    if path.name.lower().endswith((".img", ".img.gz")):
        return _other_half(path, ".img", ".hdr")
    return path


def _companion(header: Path) -> Path:
    return _other_half(header, ".hdr", ".img")


def _other_half(path: Path, old: str, new: str) -> Path:
    base = path.name[: len(path.name) - 3] if path.name.lower().endswith(".gz") else path.name
    stem = base[: -len(old)] if base.lower().endswith(old) else base
    ending = new.upper() if base.endswith(old.upper()) else new
    for name in (stem + ending + path.name[len(base) :], stem + ending, f"{stem}{ending}.gz"):
        if path.with_name(name).exists():
            return path.with_name(name)
    raise BadVolume(f"missing companion {printable(stem + ending)}: put it beside this file")


def _pair_digest(given: Path, image: Path) -> str:
    """Hash of the header's bytes followed by the image's."""
    import hashlib

    digest = hashlib.sha256()
    for half in (_header_path(given), image):
        with open(half, "rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()
