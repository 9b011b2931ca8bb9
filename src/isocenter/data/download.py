"""The one place that may use the network: a file is kept only if its hash is right."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
from io import BufferedIOBase
from pathlib import Path

from isocenter.data.atomic import write_bytes
from isocenter.errors import BadCheckpoint, ResourceError, UsageError

__all__ = ["fetch"]

CHUNK = 1 << 20
PATIENCE = 30.0
"""Seconds without a byte after which a server is given up."""


def fetch(source: str, path: Path, *, sha256: str) -> Path:
    """Copy a file to ``path``, completely or not at all.

    Args:
        source: An address (http, https) or the name of a file.
        path: Where it goes; its folder is made.
        sha256: Of the content, 64 hexadecimal digits.

    Raises:
        UsageError: ``sha256`` is no hash, or the address is of another kind.
        ResourceError: The source cannot be read, or ``path`` not be written.
        BadCheckpoint: The content has another hash; nothing is kept.
    """
    if len(sha256) != 64 or set(sha256.lower()) - set("0123456789abcdef"):
        raise UsageError(f"{sha256!r} is no SHA-256: give its 64 hexadecimal digits")
    content = _read(source)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256.lower():
        raise BadCheckpoint(
            f"{source} has SHA-256 {found}, not {sha256.lower()}: nothing was kept; "
            f"compare the hash with the one on its home page and fetch it again"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"cannot make the folder {path.parent} ({error.strerror}): set ISOCENTER_HOME"
        ) from error
    return write_bytes(path, memoryview(content))


def _read(source: str) -> bytearray:
    scheme = urllib.parse.urlsplit(source).scheme
    if scheme in ("http", "https"):
        return _download(source)
    if "://" in source:
        raise UsageError(f"{source}: give an address with http or https, or the name of a file")
    try:
        with open(source, "rb") as file:
            return _all_of(file)
    except OSError as error:
        raise ResourceError(f"cannot read {source} ({error.strerror}); check the name") from error


def _download(address: str) -> bytearray:
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
            content = _all_of(answer)
            promised = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        raise _failure(address, f"{error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise _failure(address, str(reason) or type(error).__name__) from None
    if promised is not None and len(content) < int(promised):
        raise _failure(address, f"{len(content)} of {promised} bytes came")
    return content


def _all_of(file: BufferedIOBase) -> bytearray:
    content = bytearray()
    while chunk := file.read(CHUNK):
        content += chunk
    return content


def _failure(address: str, reason: str) -> ResourceError:
    return ResourceError(
        f"cannot fetch {address} ({reason}): try again, or fetch it by hand and give the file"
    )
