"""Stored pixels to numbers, one frame at a time, and the hash of what was read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.data.io._dicom_classes import syntax_name
from isocenter.data.io._dicom_codestream import check_frame_size
from isocenter.data.io._dicom_file import BIG_ENDIAN, RawFile, open_pixels
from isocenter.data.io._dicom_frames import Frame, ImageFile, Pixels
from isocenter.data.io._dicom_tags import parsing
from isocenter.errors import BadVolume, MissingExtra

__all__ = ["hash_files", "number_type", "read_pixels"]

CHUNK = 1 << 20


def read_pixels(frames: Sequence[Frame]) -> npt.NDArray[np.float32]:
    """Scaled values of frames in order, (column, row, frame).

    Overlays in unused bits are dropped, slope and intercept applied, MONOCHROME1 turned
    round within the range of the volume.

    Raises:
        BadVolume: A file is shorter than it says or cannot be decoded.
        MissingExtra: The pixels are compressed in a way that needs a decoder.
    """
    pixels = frames[0].file.pixels
    stack = np.empty((len(frames), pixels.rows, pixels.columns), dtype=np.float32)
    with _Sources() as sources:
        for index, frame in enumerate(frames):
            stored = sources.stored(frame)
            stack[index] = stored * frame.slope + frame.intercept
    if pixels.inverted:
        np.subtract(stack.min() + stack.max(), stack, out=stack)
    return stack.transpose(2, 1, 0)


def hash_files(frames: Sequence[Frame]) -> str:
    """SHA-256 over the bytes of the frames' files, in order, each file once."""
    digest = hashlib.sha256()
    for path in dict.fromkeys(frame.file.raw.path for frame in frames):
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def number_type(pixels: Pixels) -> np.dtype[Any]:
    """Type of the stored numbers, in this machine's byte order."""
    return np.dtype(f"{'i' if pixels.signed else 'u'}{pixels.bits_allocated // 8}")


class _Sources:
    """Keeps the one file open that frames are being read from."""

    def __init__(self) -> None:
        self.file: ImageFile | None = None
        self.stream: io.BufferedIOBase = io.BytesIO()
        self.packed: list[bytes] = []

    def __enter__(self) -> _Sources:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def stored(self, frame: Frame) -> npt.NDArray[Any]:
        """The stored numbers of one frame, (row, column)."""
        if frame.file is not self.file:
            self._open(frame.file)
        if frame.file.raw.encapsulated:
            return _decoded(self.packed[frame.index], frame.file)
        return _plain(self.stream, frame)

    def _open(self, file: ImageFile) -> None:
        self.stream.close()
        self.file, self.stream = file, open_pixels(file.raw, file.pixels.n_bytes)
        self.packed = _packed(self.stream, file) if file.raw.encapsulated else []


def _plain(stream: io.BufferedIOBase, frame: Frame) -> npt.NDArray[Any]:
    raw, pixels = frame.file.raw, frame.file.pixels
    stream.seek((raw.pixels_at or 0) + frame.index * pixels.frame_bytes)
    content = stream.read(pixels.frame_bytes)
    if len(content) != pixels.frame_bytes:
        raise BadVolume(
            f"{raw.name}: pixel data ends early (got {len(content):,} of {pixels.frame_bytes:,} "
            f"bytes of frame {frame.index + 1}); copy or export it again"
        )
    order: Literal["<", ">"] = ">" if raw.syntax == BIG_ENDIAN else "<"
    values = np.frombuffer(content, number_type(pixels).newbyteorder(order))
    return _used_bits(values.reshape(pixels.rows, pixels.columns), pixels)


def _used_bits(values: npt.NDArray[Any], pixels: Pixels) -> npt.NDArray[Any]:
    """The stored bits alone, sign extended (DICOM PS3.5, 8.1.1); the others may be overlays."""
    if pixels.bits_stored == pixels.bits_allocated:
        return values
    native = values.astype(number_type(pixels))
    native <<= pixels.bits_allocated - 1 - pixels.high_bit
    native >>= pixels.bits_allocated - pixels.bits_stored
    return native


def _decoded(packed: bytes, file: ImageFile) -> npt.NDArray[Any]:
    from pydicom.encaps import encapsulate

    raw, pixels = file.raw, file.pixels
    check_frame_size(raw.name, packed, pixels.rows, pixels.columns)
    decoder = _decoder(raw)
    with parsing(raw.name):
        item = encapsulate([packed + b"\0" * (len(packed) % 2)], has_bot=False)
        values, _ = decoder.as_array(item, index=0, raw=True, **_options(pixels))
        return np.asarray(values).reshape(pixels.rows, pixels.columns)


def _decoder(raw: RawFile) -> Any:
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    try:
        decoder = get_decoder(UID(raw.syntax))
    except NotImplementedError:
        raise BadVolume(
            f"{raw.name}: pixels in {syntax_name(raw.syntax)} cannot be decoded; "
            "export it uncompressed"
        ) from None
    if not decoder.is_available:
        raise MissingExtra(
            f"{raw.name}: pixels in {syntax_name(raw.syntax)} need a decoder: "
            "pip install 'isocenter[dicom]'"
        )
    return decoder


def _packed(stream: io.BufferedIOBase, file: ImageFile) -> list[bytes]:
    """The compressed frames of a file, all of them."""
    from pydicom.encaps import generate_frames

    raw, pixels = file.raw, file.pixels
    _decoder(raw)
    budget = 2 * pixels.n_bytes + CHUNK
    stream.seek(raw.pixels_at or 0)
    if raw.size - stream.tell() > budget:
        raise BadVolume(f"{raw.name}: compressed pixels are larger than the image; export it again")
    with parsing(raw.name):
        found = list(generate_frames(stream.read(budget), number_of_frames=pixels.n_frames))
    if len(found) != pixels.n_frames:
        raise BadVolume(
            f"{raw.name}: {len(found)} of {pixels.n_frames} compressed frames are there; "
            "copy or export it again"
        )
    return found


def _options(pixels: Pixels) -> dict[str, Any]:
    return {
        "rows": pixels.rows,
        "columns": pixels.columns,
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "bits_allocated": pixels.bits_allocated,
        "bits_stored": pixels.bits_stored,
        "pixel_representation": int(pixels.signed),
        "pixel_keyword": "PixelData",
    }
