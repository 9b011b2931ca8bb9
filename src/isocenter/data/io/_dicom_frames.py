"""Frames: every two-dimensional image of a DICOM file, with its place and its scale."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from isocenter.data.io._dicom_classes import ENHANCED, check_class, syntax_name
from isocenter.data.io._dicom_contrast import infer_contrast
from isocenter.data.io._dicom_file import RawFile
from isocenter.data.io._dicom_tags import (
    codes,
    digest,
    integer,
    item,
    items,
    number,
    numbers,
    parsing,
)
from isocenter.errors import BadVolume

__all__ = ["Frame", "ImageFile", "Pixels", "read_frames"]

PHASE = {"P", "PHASE", "PHASE MAP"}
"""What image types call phase images, by vendor."""


@dataclass(frozen=True)
class Pixels:
    """How the stored numbers of one file are laid out."""

    rows: int
    columns: int
    n_frames: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    inverted: bool
    """True for MONOCHROME1, where the lowest value is shown white."""

    @property
    def frame_bytes(self) -> int:
        """Bytes of one uncompressed frame."""
        return self.rows * self.columns * self.bits_allocated // 8

    @property
    def n_bytes(self) -> int:
        """Bytes of all frames of the file, uncompressed."""
        return self.frame_bytes * self.n_frames


@dataclass(frozen=True)
class ImageFile:
    """One file that holds MR images."""

    raw: RawFile
    pixels: Pixels
    series_uid: str
    series_number: int
    description: str
    """A hash; the text itself may hold patient data."""
    contrast: str | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frame:
    """One slice: where it is (mm, LPS), how it is scaled, which volume it belongs to."""

    file: ImageFile = field(repr=False)
    index: int
    """Frame number inside its file, from 0."""
    number: tuple[int, int]
    """Instance number of the file, frame number: the scanner's own order."""
    position: tuple[float, ...] | None
    """Centre of the first pixel, x, y, z."""
    orientation: tuple[float, ...] | None
    """Direction of increasing column, then of increasing row."""
    spacing: tuple[float, ...] | None
    """Distance of rows, then of columns."""
    thickness: float | None
    gap: float | None
    """Distance of slices as the header says it; positions are believed more."""
    slope: float
    intercept: float
    stack: Hashable
    kind: tuple[Hashable, ...]
    """What tells images of one place apart that are different scans: type, echo, inversion."""
    time: tuple[Hashable, ...]
    """What tells images of one place apart that are repetitions of one scan."""


def read_frames(raw: RawFile, max_voxels: int) -> tuple[Frame, ...]:
    """All frames of a file; nothing of the pixels is touched.

    Raises:
        BadVolume: The file holds no MR image, is damaged, or is larger than ``max_voxels``.
    """
    with parsing(raw.name):
        image_type = codes(raw.dataset, "ImageType")
        check_class(raw.name, raw.sop_class, image_type)
        pixels = _pixels(raw, max_voxels)
        return _enhanced(raw, pixels) if raw.sop_class in ENHANCED else (_single(raw, pixels),)


def _pixels(raw: RawFile, max_voxels: int) -> Pixels:
    rows, columns = (integer(raw.dataset, name) for name in ("Rows", "Columns"))
    n_frames = integer(raw.dataset, "NumberOfFrames") or 1
    if not rows or not columns or n_frames < 1:
        raise BadVolume(f"{raw.name}: no image size (Rows, Columns); give a file with an image")
    if rows * columns > max_voxels:
        raise BadVolume(
            f"{raw.name}: header asks {columns} x {rows} voxels a slice; file has {raw.size:,} "
            f"bytes and the limit is {max_voxels:,} voxels: raise it with --max-voxels"
        )
    if raw.pixels_at is None:
        raise BadVolume(f"{raw.name}: no pixel data in its {raw.size:,} bytes; export it again")
    pixels = _layout(raw, rows, columns, n_frames)
    _check_length(raw, pixels)
    return pixels


def _layout(raw: RawFile, rows: int, columns: int, n_frames: int) -> Pixels:
    data = raw.dataset
    photometric = codes(data, "PhotometricInterpretation") or ("MONOCHROME2",)
    if (integer(data, "SamplesPerPixel") or 1) != 1 or not photometric[0].startswith("MONOCHROME"):
        raise BadVolume(f"{raw.name}: colour image: not an MR magnitude image; give a grey one")
    allocated = integer(data, "BitsAllocated") or 0
    stored = integer(data, "BitsStored") or allocated
    high_bit = integer(data, "HighBit")
    high_bit = stored - 1 if high_bit is None else high_bit
    if allocated not in (8, 16, 32) or not 0 < stored <= high_bit + 1 <= allocated:
        raise BadVolume(
            f"{raw.name}: {stored} bits stored in {allocated} up to bit {high_bit} are not "
            "supported: export it with 8, 16 or 32 bits"
        )
    signed = bool(integer(data, "PixelRepresentation") or 0)
    inverted = photometric[0] == "MONOCHROME1"
    return Pixels(rows, columns, n_frames, allocated, stored, high_bit, signed, inverted)


def _check_length(raw: RawFile, pixels: Pixels) -> None:
    if raw.encapsulated or raw.pixels_at is None:
        return
    needed = pixels.n_bytes
    if raw.pixels_length < needed:
        raise BadVolume(
            f"{raw.name}: pixel data is short (got {raw.pixels_length:,} of {needed:,} bytes); "
            "export it again"
        )
    if not raw.deflated and raw.pixels_at + needed > raw.size:
        raise BadVolume(
            f"{raw.name}: file ends early (got {max(0, raw.size - raw.pixels_at):,} of "
            f"{needed:,} bytes of pixel data); copy or export it again"
        )


def _image_file(raw: RawFile, pixels: Pixels, contrast: str | None) -> ImageFile:
    data = raw.dataset
    notes = [f"{syntax_name(raw.syntax)} without preamble: read all the same"] if raw.forced else []
    if not raw.sop_class:
        notes.append("the header names no SOP class: taken for an MR image")
    if PHASE & {*codes(data, "ImageType"), *codes(data, "ComplexImageComponent")}:
        notes.append("this is a phase image, not a magnitude image")
    return ImageFile(
        raw,
        pixels,
        str(data.get("SeriesInstanceUID") or ""),
        integer(data, "SeriesNumber") or 0,
        digest(data, "SeriesDescription"),
        contrast,
        tuple(notes),
    )


def _single(raw: RawFile, pixels: Pixels) -> Frame:
    data = raw.dataset
    if pixels.n_frames > 1:
        raise BadVolume(
            f"{raw.name}: {pixels.n_frames} frames without a position each; "
            "export it as Enhanced MR Image Storage or as one file per slice"
        )
    file = _image_file(raw, pixels, infer_contrast([data]))
    return Frame(
        file=file,
        index=0,
        number=(integer(data, "InstanceNumber") or 0, 0),
        position=numbers(data, "ImagePositionPatient", 3),
        orientation=numbers(data, "ImageOrientationPatient", 6),
        spacing=numbers(data, "PixelSpacing", 2),
        thickness=number(data, "SliceThickness"),
        gap=number(data, "SpacingBetweenSlices"),
        slope=_scale(data, "RescaleSlope", 1.0),
        intercept=_scale(data, "RescaleIntercept", 0.0),
        stack=None,
        kind=_kind(data, data, data),
        time=_time(data, data),
    )


def _enhanced(raw: RawFile, pixels: Pixels) -> tuple[Frame, ...]:
    shared = item(raw.dataset, "SharedFunctionalGroupsSequence")
    each = items(raw.dataset, "PerFrameFunctionalGroupsSequence")
    if len(each) != pixels.n_frames:
        raise BadVolume(
            f"{raw.name}: {pixels.n_frames} frames but {len(each)} descriptions of frames; "
            "export it again"
        )
    first = _Groups(shared, each[0])
    file = _image_file(raw, pixels, infer_contrast([raw.dataset, *first.timing()]))
    return tuple(_frame(file, index, _Groups(shared, own)) for index, own in enumerate(each))


@dataclass(frozen=True)
class _Groups:
    """Functional groups of one frame: its own, else the shared ones."""

    shared: Any
    own: Any

    def get(self, keyword: str) -> Any:
        return item(self.own if keyword in self.own else self.shared, keyword)

    def timing(self) -> list[Any]:
        names = ("MRTimingAndRelatedParametersSequence", "MREchoSequence", "MRModifierSequence")
        return [self.get(name) for name in (*names, "MRDiffusionSequence")]


def _frame(file: ImageFile, index: int, groups: _Groups) -> Frame:
    content = groups.get("FrameContentSequence")
    measures = groups.get("PixelMeasuresSequence")
    scale = groups.get("PixelValueTransformationSequence")
    return Frame(
        file=file,
        index=index,
        number=(integer(file.raw.dataset, "InstanceNumber") or 0, index),
        position=numbers(groups.get("PlanePositionSequence"), "ImagePositionPatient", 3),
        orientation=numbers(groups.get("PlaneOrientationSequence"), "ImageOrientationPatient", 6),
        spacing=numbers(measures, "PixelSpacing", 2),
        thickness=number(measures, "SliceThickness"),
        gap=number(measures, "SpacingBetweenSlices"),
        slope=_scale(scale, "RescaleSlope", 1.0),
        intercept=_scale(scale, "RescaleIntercept", 0.0),
        stack=str(content.get("StackID") or ""),
        kind=_kind(
            groups.get("MRImageFrameTypeSequence"),
            groups.get("MREchoSequence"),
            groups.get("MRModifierSequence"),
        ),
        time=(
            integer(content, "TemporalPositionIndex"),
            integer(content, "FrameAcquisitionNumber"),
            *_time(file.raw.dataset, groups.get("MRDiffusionSequence")),
        ),
    )


def _kind(types: Any, echo: Any, inversion: Any) -> tuple[Hashable, ...]:
    echo_time = number(echo, "EchoTime") or number(echo, "EffectiveEchoTime")
    inversion_time = number(inversion, "InversionTime") or number(inversion, "InversionTimes")
    image_type = codes(types, "ImageType") or codes(types, "FrameType")
    component = codes(types, "ComplexImageComponent")
    return image_type, component, echo_time, integer(echo, "EchoNumbers"), inversion_time


def _time(data: Any, diffusion: Any) -> tuple[Hashable, ...]:
    return (
        integer(data, "TemporalPositionIdentifier"),
        number(data, "TriggerTime"),
        number(diffusion, "DiffusionBValue"),
        integer(data, "AcquisitionNumber"),
        integer(data, "InstanceNumber") if "NumberOfFrames" in data else None,
    )


def _scale(data: Any, keyword: str, default: float) -> float:
    value = number(data, keyword)
    if value is None:
        return default
    if not math.isfinite(value) or (keyword == "RescaleSlope" and value == 0):
        raise BadVolume(f"{keyword} is not a usable number; export the scan again")
    return value
