"""Image size that a compressed frame claims for itself, checked before it is decoded."""

from __future__ import annotations

from isocenter.errors import BadVolume

__all__ = ["check_frame_size", "codestream_size"]

J2K_SIZE = b"\xff\x4f\xff\x51"
JPEG_START = b"\xff\xd8"
JPEG_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG frame header (ISO/IEC 10918-1, table B.1) and of JPEG-LS (14495-1)."""


def check_frame_size(name: str, packed: bytes, rows: int, columns: int) -> None:
    """Refuse a compressed frame that unpacks to another size than the header says.

    Raises:
        BadVolume: The sizes differ.
    """
    found = codestream_size(packed)
    if found is not None and found != (rows, columns):
        raise BadVolume(
            f"{name}: compressed frame is {found[1]} x {found[0]} but the header says "
            f"{columns} x {rows}; export it again"
        )


def codestream_size(packed: bytes) -> tuple[int, int] | None:
    """Rows and columns of a JPEG, JPEG-LS or JPEG 2000 frame; ``None`` for other codes."""
    if packed.startswith(JPEG_START):
        return _jpeg_size(packed)
    at = packed.find(J2K_SIZE, 0, 4096)
    if at < 0 or len(packed) < at + 24:
        return None
    width, height, left, top = (
        int.from_bytes(packed[at + 8 + 4 * k : at + 12 + 4 * k], "big") for k in range(4)
    )
    return height - top, width - left


def _jpeg_size(packed: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(packed) and packed[at] == 0xFF:
        marker, length = packed[at + 1], int.from_bytes(packed[at + 2 : at + 4], "big")
        if marker in JPEG_FRAMES:
            rows = int.from_bytes(packed[at + 5 : at + 7], "big")
            return rows, int.from_bytes(packed[at + 7 : at + 9], "big")
        at += 1 if marker == 0xFF else 2 + length
    return None
