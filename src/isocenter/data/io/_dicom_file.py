"""One DICOM file: opened with care, its tags read, its pixels left where they are."""

from __future__ import annotations

import io
import stat
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from isocenter.data.io._dicom_tags import parsing
from isocenter.data.io._door import printable
from isocenter.errors import BadVolume, NothingFound

__all__ = ["BIG_ENDIAN", "RawFile", "looks_like_dicom", "open_file", "open_pixels"]

DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
UNDEFINED = 0xFFFFFFFF
PIXEL_DATA = 0x7FE00010
MAX_ELEMENTS = 20_000
"""Top-level elements before the pixels; real headers hold some hundreds."""
MAX_HEADER = 16 << 20
"""Bytes of a deflated file that may come before its pixels."""
SLACK = 1 << 16
"""Bytes that may follow the pixels of a deflated file (padding, signatures)."""
LONG_HEADED = ("OB", "OD", "OF", "OL", "OV", "OW", "UN")
"""Explicit value representations whose element head has 12 bytes, not 8."""
FIRST_KINDS = (b"UL", b"OB", b"CS", b"UI", b"DA", b"TM", b"SH")
"""Value representations of the elements that can come first."""
WANTED = (
    "ImageType",
    "SOPClassUID",
    "Modality",
    "SeriesDescription",
    "SeriesInstanceUID",
    "SeriesNumber",
    "ScanningSequence",
    "SequenceVariant",
    "AngioFlag",
    "SliceThickness",
    "RepetitionTime",
    "EchoTime",
    "InversionTime",
    "EchoNumbers",
    "SpacingBetweenSlices",
    "FlipAngle",
    "TriggerTime",
    "DiffusionBValue",
    "EchoPulseSequence",
    "EchoPlanarPulseSequence",
    "ComplexImageComponent",
    "AcquisitionNumber",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "TemporalPositionIdentifier",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleIntercept",
    "RescaleSlope",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)


@dataclass(frozen=True)
class RawFile:
    """A parsed file; ``pixels_at`` counts bytes from the start of the (inflated) stream."""

    path: Path
    dataset: Any
    """The wanted tags only; private tags and texts about the patient are never read."""
    syntax: str
    """Transfer syntax UID."""
    sop_class: str
    """SOP class UID; empty where the header has none."""
    size: int
    """Bytes of the file on disk."""
    forced: bool
    """True where the 128-byte preamble and the letters ``DICM`` are missing."""
    pixels_at: int | None
    """Where the pixel value begins; ``None`` where there is none."""
    pixels_length: int
    """Bytes of the pixel value as its header says; ``UNDEFINED`` when encapsulated."""

    @property
    def name(self) -> str:
        """The file's own name, fit for a message."""
        return printable(self.path.name)

    @property
    def encapsulated(self) -> bool:
        """Whether the frames are compressed one by one."""
        return self.pixels_length == UNDEFINED

    @property
    def deflated(self) -> bool:
        """Whether the whole body is compressed as one stream."""
        return self.syntax == DEFLATED


def looks_like_dicom(head: bytes) -> bool:
    """Whether the first bytes are DICOM, with its preamble or without.

    Without a preamble the first element must be one of group 2 or 8 with a known value
    representation, or with a short length where the representation is implicit.
    """
    if head[128:132] == b"DICM":
        return True
    if len(head) < 8 or head[:2] not in (b"\x02\x00", b"\x08\x00"):
        return False
    element, kind = int.from_bytes(head[2:4], "little"), head[4:6]
    short = int.from_bytes(head[4:8], "little") <= 64
    return element <= 0x0070 and (
        kind in (b"UL", b"OB", b"CS", b"UI", b"DA", b"TM", b"SH") or short
    )


def open_file(path: Path) -> RawFile:
    """Read the tags of one file, and where its pixels are.

    Raises:
        BadVolume: Not a regular file, not DICOM, damaged, or larger inside than it says.
    """
    size, name = _regular_size(path), printable(path.name)
    try:
        with open(path, "rb") as file:
            head = file.read(132)
            if not looks_like_dicom(head):
                raise BadVolume(f"{name}: not a DICOM file: no DICM mark and no DICOM tags")
            file.seek(0)
            return _parse(path, file, size, forced=head[128:132] != b"DICM")
    except OSError as error:
        raise BadVolume(f"{name}: cannot be read ({error.strerror})") from error


def open_pixels(raw: RawFile, needed: int) -> io.BufferedIOBase:
    """The stream that ``pixels_at`` counts in: the file, or the inflated body of a deflated one.

    Args:
        raw: The file.
        needed: Bytes of its uncompressed pixels.

    Raises:
        BadVolume: A deflated file holds more than its header and ``needed`` bytes.
    """
    if not raw.deflated or raw.pixels_at is None:
        return open(raw.path, "rb")
    with open(raw.path, "rb") as file, parsing(raw.name):
        _read_meta(file)
        return io.BytesIO(_inflate(raw.name, file.read(), raw.pixels_at + needed))


def _regular_size(path: Path) -> int:
    name = printable(path.name)
    try:
        status = path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            raise BadVolume(f"{name}: content not fetched (broken link); fetch it") from None
        raise NothingFound(f"{name}: no such file or folder: check the path") from None
    except OSError as error:
        raise BadVolume(f"{name}: cannot be read ({error.strerror})") from error
    if not stat.S_ISREG(status.st_mode):
        raise BadVolume(f"{name}: not a regular file; give a DICOM file or a folder")
    if status.st_size == 0:
        raise BadVolume(f"{name}: file is empty")
    return status.st_size


class _Stop:
    """Callback of the parser: halts at the pixels and on a header without end."""

    def __init__(self) -> None:
        self.seen = 0
        self.kind: str | None = None
        self.length: int | None = None

    def __call__(self, tag: int, kind: str | None, length: int) -> bool:
        self.seen += 1
        if self.seen > MAX_ELEMENTS:
            raise ValueError("too many elements")
        if tag == PIXEL_DATA:
            self.kind, self.length = kind, length
        return tag >= PIXEL_DATA


def _parse(path: Path, file: io.BufferedIOBase, size: int, *, forced: bool) -> RawFile:
    with parsing(printable(path.name)):
        syntax = _read_meta(file)
        body = _inflated_header(file) if syntax == DEFLATED else file
        syntax = syntax or _guess_syntax(body)
        dataset, stop = _read_tags(body, syntax)
        wide = syntax != IMPLICIT and stop.kind in LONG_HEADED
        place = None if stop.length is None else body.tell() + (12 if wide else 8)
        sop_class = str(dataset.get("SOPClassUID") or "")
    return RawFile(path, dataset, syntax, sop_class, size, forced, place, stop.length or 0)


def _read_meta(file: io.BufferedIOBase) -> str:
    """Transfer syntax UID, or nothing; leaves the file at the first tag after group 2."""
    from pydicom.filereader import read_dataset

    file.seek(132 if file.read(132)[128:] == b"DICM" else 0)
    # pydicom reads and seeks only, which every buffered stream does.
    stream = cast(BinaryIO, file)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, kind, length: tag >> 16 != 2)
    return str(meta.get("TransferSyntaxUID") or "")


def _guess_syntax(body: io.BufferedIOBase) -> str:
    start = body.tell()
    kind = body.read(6)[4:6]
    body.seek(start)
    return EXPLICIT if kind.isalpha() and kind.isupper() else IMPLICIT


def _read_tags(body: io.BufferedIOBase, syntax: str) -> tuple[Any, _Stop]:
    from pydicom.datadict import tag_for_keyword
    from pydicom.filereader import read_dataset
    from pydicom.tag import BaseTag

    stop = _Stop()
    tags = [tag_for_keyword(keyword) for keyword in WANTED]
    wanted: list[BaseTag | int] = [tag for tag in tags if tag is not None]
    dataset = read_dataset(
        cast(BinaryIO, body),
        syntax == IMPLICIT,
        syntax != BIG_ENDIAN,
        stop_when=stop,
        specific_tags=wanted,
    )
    return dataset, stop


def _inflated_header(file: io.BufferedIOBase) -> io.BufferedIOBase:
    return io.BytesIO(zlib.decompressobj(-zlib.MAX_WBITS).decompress(file.read(), MAX_HEADER))


def _inflate(name: str, packed: bytes, budget: int) -> bytes:
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    content = engine.decompress(packed, budget)
    if len(engine.decompress(engine.unconsumed_tail, SLACK)) == SLACK:
        raise BadVolume(f"{name}: deflated content goes on after the pixels; export it again")
    return content
