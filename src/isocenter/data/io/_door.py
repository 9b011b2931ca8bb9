"""The door: what a path is, before any reader believes it."""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

from isocenter.data.io._stream import GZIP_MAGIC, ByteStream
from isocenter.errors import BadVolume, NothingFound

__all__ = ["DAMAGE", "HEAD", "Entrance", "enter", "file_size", "printable"]

HEAD = 1024
"""Bytes that decide what a file is."""
DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""What the libraries behind readers raise on files that are damaged or of another kind."""
_PAGES = (b"<!doctype html", b"<html", b"<?xml", b"<head", b"<!--")


@dataclass(frozen=True)
class Entrance:
    """A regular file whose first bytes were seen."""

    path: Path
    head: bytes
    """First ``HEAD`` bytes, decompressed."""
    compressed: bool
    size: int
    """Bytes on the disk."""

    @property
    def name_warnings(self) -> tuple[str, ...]:
        """Where the name says something else than the content."""
        named = self.path.name.lower().endswith((".gz", ".mgz"))
        if named and not self.compressed:
            return ("the name says compressed, the content is not",)
        if self.compressed and not named:
            return ("the content is gzip-compressed, the name does not say so",)
        return ()


def enter(path: Path) -> Entrance:
    """Look at a file's kind, size and first bytes.

    Raises:
        NothingFound: No such file.
        BadVolume: Not a regular file, empty, unreadable, or a stand-in for a file that was
            never fetched.
    """
    size = file_size(path)
    if size == 0:
        raise BadVolume("file is empty: fetch or export it again")
    try:
        with open(path, "rb") as file:
            start = file.read(HEAD)
    except OSError as error:
        raise _unreadable(error) from error
    _refuse_stand_in(start, size)
    compressed = start.startswith(GZIP_MAGIC)
    if compressed:
        with ByteStream(path) as stream:
            start = stream.read(HEAD)
            if stream.is_cut:
                raise BadVolume(
                    f"compressed data ends early (after {len(start)} bytes): fetch it again"
                )
        _refuse_stand_in(start, len(start))
    return Entrance(path, start, compressed, size)


def file_size(path: Path) -> int:
    """Bytes of a regular file; everything else is refused.

    Raises:
        NothingFound: No such file.
        BadVolume: A broken link, a folder, a pipe, a device, or a file without permission.
    """
    try:
        found = path.stat()
    except FileNotFoundError as error:
        if path.is_symlink():
            raise BadVolume(_broken_link(path)) from error
        raise NothingFound("no such file or folder: check the path") from error
    except (OSError, ValueError) as error:
        raise _unreadable(error) from error
    if not stat.S_ISREG(found.st_mode):
        raise BadVolume(f"{_kind(found.st_mode)}, not a file: give a scan's file")
    if not os.access(path, os.R_OK):
        raise BadVolume("permission denied: make the file readable")
    return found.st_size


def printable(name: str) -> str:
    """A file name without line breaks, control signs or broken UTF-8."""
    whole = os.fsencode(name).decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in whole)


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "something special")


def _broken_link(path: Path) -> str:
    if "annex" in os.readlink(path):
        return "content not fetched (git-annex link without content): run `datalad get`"
    return "content not fetched: the link points to nothing"


def _refuse_stand_in(start: bytes, size: int) -> None:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(_PAGES):
        raise BadVolume("this is an HTML page, not a scan: download the file itself again")
    if text.startswith(b"version https://git-lfs"):
        raise BadVolume("this is a git-lfs pointer, not the scan: run `git lfs pull`")
    if size < HEAD and b"annex/objects/" in text:
        raise BadVolume("this is a git-annex pointer, not the scan: run `datalad get`")


def _unreadable(error: Exception) -> BadVolume:
    if isinstance(error, PermissionError):
        return BadVolume("permission denied: make the file readable")
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return BadVolume(f"cannot be read ({reason}): check the disk and the path")
