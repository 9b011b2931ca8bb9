"""The only way a file is written.

A reader never sees half a file under a final name: the bytes go to a temporary name in
the same folder, are flushed to the disk, read back and compared, and only then renamed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import uuid
import zlib
from pathlib import Path

from isocenter.errors import ResourceError

__all__ = ["make_folder", "sweep", "write_bytes", "write_text"]

CHUNK = 1 << 20
TEMPORARY = re.compile(r"\.[0-9a-f]{12}\.\d+\.tmp")
"""Names under which files are written before they are whole."""


def write_text(path: Path | str, text: str) -> Path:
    """Write ``text`` as UTF-8 with Unix line ends; see :func:`write_bytes`."""
    return write_bytes(path, text.encode())


def write_bytes(path: Path | str, content: bytes | memoryview) -> Path:
    """Write ``content`` to ``path`` completely, or leave everything as it was.

    Raises:
        ResourceError: The folder is missing or read-only, the disk is full, or the bytes
            read back differ.
    """
    path = Path(path)
    temporary = path.with_name(f".{uuid.uuid4().hex[:12]}.{os.getpid()}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not _holds(temporary, content):
            raise ResourceError(f"{path}: what was written reads back different; check the disk")
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise ResourceError(_sentence(path, error)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return path


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing.

    Raises:
        ResourceError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"cannot make {folder}: {error.strerror}; choose another") from error


def sweep(folder: Path) -> None:
    """Remove what killed writers left in ``folder``; nobody may be writing there."""
    for left in folder.glob(".*.tmp"):
        if TEMPORARY.fullmatch(left.name):
            with contextlib.suppress(OSError):
                left.unlink()


def _holds(path: Path, content: bytes | memoryview) -> bool:
    length, checksum = 0, 0
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            length, checksum = length + len(chunk), zlib.crc32(chunk, checksum)
    return length == memoryview(content).nbytes and checksum == zlib.crc32(content)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sentence(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = shutil.disk_usage(path.parent).free
        return f"disk full while writing {path}: {free:,} bytes free; make room or use --out"
    return f"cannot write {path}: {error.strerror or error}; choose another place with --out"
