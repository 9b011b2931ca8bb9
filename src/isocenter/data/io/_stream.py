"""A file as one stream of bytes: plain or gzip, hashed on the way, verified at the end."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from isocenter.errors import BadVolume

__all__ = ["GZIP_MAGIC", "LARGEST_EXPANSION", "ByteStream", "is_compressed"]

GZIP_MAGIC = b"\x1f\x8b"
LARGEST_EXPANSION = 1040
"""Deflate makes at most 1032 bytes of one (RFC 1951: 258 bytes from 2 bits)."""
CHUNK = 1 << 18
TOLERATED_TAIL = 16 << 20
"""Bytes behind the image that are read through to reach the checksum."""


class _Decompressor(Protocol):
    eof: bool
    needs_input: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class ByteStream:
    """Bytes of a file in order, decompressed when the content is gzip.

    Concatenated gzip members count as one stream as long as bytes are asked for.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = open(path, "rb")  # noqa: SIM115  (closed by __exit__)
            start = self._file.read(2)
            self._file.seek(0)
        except OSError as error:
            raise BadVolume(_cannot(error)) from error
        self.compressed = start == GZIP_MAGIC
        self.warnings: list[str] = []
        self.passed = 0
        """Decompressed bytes so far."""
        self._at_disk_end = False
        self._digest = hashlib.sha256()
        self._waiting = b""
        self._member: _Decompressor | None = _new_member() if self.compressed else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def readinto(self, target: memoryview) -> int:
        """Fill ``target``; fewer bytes mean that the stream ended."""
        filled = 0
        while filled < len(target):
            piece = self._next(min(len(target) - filled, 4 * CHUNK))
            if not piece:
                break
            target[filled : filled + len(piece)] = piece
            filled += len(piece)
        return filled

    def read(self, length: int) -> bytes:
        """At most ``length`` bytes; fewer mean that the stream ended."""
        buffer = bytearray(length)
        return bytes(buffer[: self.readinto(memoryview(buffer))])

    def skip(self, length: int) -> int:
        """Pass ``length`` bytes by; fewer mean that the stream ended."""
        passed = 0
        while passed < length and (piece := self._next(min(length - passed, 4 * CHUNK))):
            passed += len(piece)
        return passed

    def finish(self) -> str:
        """Read to the end, verify the checksum, and return the SHA-256 of the file's bytes.

        Raises:
            BadVolume: The checksum does not match, the end is missing, or far more follows
                than the header announced.
        """
        behind = 0
        while self._within_member and (piece := self._next(CHUNK)):
            behind += len(piece)
            if behind > TOLERATED_TAIL:
                raise BadVolume(
                    f"more than {TOLERATED_TAIL >> 20} MB follow the image that the header "
                    "describes: header and data do not belong together"
                )
        if behind and self.compressed:
            self.warnings.append(f"{behind:,} bytes behind the image were ignored")
        self._look_behind_member()
        while self._from_disk():
            pass
        return self._digest.hexdigest()

    @property
    def is_cut(self) -> bool:
        """Whether the file ended within its compressed part."""
        return self._within_member and self._at_disk_end

    @property
    def _within_member(self) -> bool:
        return self._member is not None and not self._member.eof

    def _next(self, limit: int) -> bytes:
        piece = self._from_disk(limit) if self._member is None else self._from_member(limit)
        self.passed += len(piece)
        return piece

    def _from_member(self, limit: int) -> bytes:
        while True:
            if not self._within_member and not self._open_next_member():
                return b""
            piece = self._inflate(limit)
            if piece or self._at_disk_end:
                return piece

    def _inflate(self, limit: int) -> bytes:
        member = self._member
        fresh = b""
        if member is None:
            return b""
        if member.needs_input:
            fresh, self._waiting = self._waiting or self._from_disk(), b""
            self._at_disk_end = not fresh
        try:
            return member.decompress(fresh, limit)
        except Exception as error:  # isal has one error class for every kind of damage
            raise BadVolume(_damage(error)) from error

    def _open_next_member(self) -> bool:
        rest = self._behind_member()
        if not rest.startswith(GZIP_MAGIC):
            return False
        self._member, self._waiting = _new_member(), rest
        return True

    def _behind_member(self) -> bytes:
        rest: bytes = self._waiting or (self._member.unused_data if self._member else b"")
        return rest if len(rest) > 1 else rest + self._from_disk()

    def _look_behind_member(self) -> None:
        if self._member is None:
            return
        if not self._member.eof:
            raise BadVolume("compressed data ends early (its checksum is missing): fetch it again")
        rest = self._behind_member()
        if rest.startswith(GZIP_MAGIC):
            self.warnings.append("a second compressed part follows the image and was ignored")
        elif rest.strip(b"\0"):
            self.warnings.append("bytes that are not gzip follow the image and were ignored")

    def _from_disk(self, limit: int = CHUNK) -> bytes:
        try:
            piece = self._file.read(limit)
        except OSError as error:
            raise BadVolume(_cannot(error)) from error
        self._digest.update(piece)
        return piece


def is_compressed(path: Path) -> bool:
    """Whether the content is gzip, whatever the name.

    Raises:
        BadVolume: The file cannot be read.
    """
    with ByteStream(path) as stream:
        return stream.compressed


def _new_member() -> _Decompressor:
    from isal import igzip_lib

    made: _Decompressor = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    return made


def _damage(error: Exception) -> str:
    if "checksum" in str(error).lower():
        return "checksum mismatch: file is damaged; fetch it again"
    return "compressed data does not decode: file is damaged; fetch it again"


def _cannot(error: OSError) -> str:
    return f"cannot be read ({error.strerror}): check the disk"
