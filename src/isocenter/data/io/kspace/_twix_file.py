"""The outline of Siemens raw data: whether every block that is announced is in the file.

The library that reads the blocks follows their lengths without asking: a length of zero would
keep it for ever.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from isocenter.errors import BadKSpace

__all__ = ["looks_like_twix", "refuse_damaged"]

LARGEST_ID, MOST_MEASUREMENTS = 10_000, 64
"""VD and VE begin with these two small numbers; VB with the length of its header."""
LONGEST_PROTOCOL, MOST_PARTS = 64 << 20, 64
_DIRECTORY, _ENTRY = 8, 152
_SCAN_HEADER, _CHANNEL_HEADER, _VB_HEADER = 192, 32, 128
_LENGTH_BITS = 0x1FFFFFF
_ACQEND, _SYNCDATA = 1 << 0, 1 << 5


def looks_like_twix(head: bytes, path: Path) -> bool:
    """Whether the first bytes announce measurements that fit the file."""
    try:
        with open(path, "rb") as file:
            measurements = _measurements(file, path.stat().st_size)
            return bool(measurements) and all(_has_protocol(file, at) for at, _ in measurements)
    except (OSError, struct.error, BadKSpace):
        return False


def refuse_damaged(path: Path) -> None:
    """Walk through all blocks of the last measurement and those before it.

    Raises:
        BadKSpace: Not Siemens raw data, cut short, or a block without a length.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        try:
            for start, stop in _measurements(file, size):
                _walk(file, start, stop, _is_new(file))
        except struct.error as error:
            raise BadKSpace(f"data ends early (file has {size:,} bytes): fetch it again") from error


def _is_new(file: BinaryIO) -> bool:
    first, count = _unpack(file, 0, "<II")
    return first < LARGEST_ID and count <= MOST_MEASUREMENTS


def _measurements(file: BinaryIO, size: int) -> list[tuple[int, int]]:
    """Start and end of each measurement."""
    if not _is_new(file):
        return [(0, size)]
    _, count = _unpack(file, 0, "<II")
    if count == 0:
        raise BadKSpace("no measurement in the file: is this Siemens raw data?")
    found = []
    for number in range(count):
        start, length = _unpack(file, _DIRECTORY + number * _ENTRY + 8, "<QQ")
        stop = start + length if length else size
        if not 0 < start < stop or stop > size:
            raise BadKSpace(f"data ends early (got {size:,} of {stop:,} bytes): fetch it again")
        found.append((start, stop))
    return found


def _has_protocol(file: BinaryIO, start: int) -> bool:
    """A measurement begins with its header's length and a handful of named parts."""
    length, n_parts = _unpack(file, start, "<II")
    return 8 < length < LONGEST_PROTOCOL and 0 < n_parts <= MOST_PARTS


def _walk(file: BinaryIO, start: int, stop: int, new: bool) -> None:
    if not _has_protocol(file, start):
        raise BadKSpace("the measurement has no protocol: is this Siemens raw data?")
    place = start + int(_unpack(file, start, "<I")[0])
    while place + _VB_HEADER < stop:
        length, ends = _block(file, place, new)
        if ends:
            return
        if length < _VB_HEADER or place + length > stop:
            raise BadKSpace(
                f"data ends early or is damaged (a block of {length:,} bytes at {place:,} of "
                f"{stop:,}): fetch it again"
            )
        place += length


def _block(file: BinaryIO, place: int, new: bool) -> tuple[int, bool]:
    """Length of a block as the library will count it, and whether it is the last."""
    announced = _unpack(file, place, "<I")[0] & _LENGTH_BITS
    flags, _, n_samples, n_coils = _unpack(file, place + (40 if new else 20), "<IIHH")
    if flags & _ACQEND:
        return announced, True
    if flags & _SYNCDATA:
        return announced, False
    per_coil = 8 * n_samples + (_CHANNEL_HEADER if new else _VB_HEADER)
    return n_coils * per_coil + (_SCAN_HEADER if new else 0), False


def _unpack(file: BinaryIO, place: int, form: str) -> tuple[int, ...]:
    file.seek(place)
    return struct.unpack(form, file.read(struct.calcsize(form)))
