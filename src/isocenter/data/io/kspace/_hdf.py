"""HDF5 files of k-space, opened only when they hold what they say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from isocenter.data.io._hdf5 import HDF5_MAGIC, refuse_foreign
from isocenter.errors import BadKSpace

__all__ = ["opened", "shown_keys", "top_level"]

_DAMAGE = (ArithmeticError, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What h5py raises on files that are damaged, looped, or not what they claim."""
SHOWN_KEYS = 12


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The open file, all of whose data are its own.

    Raises:
        BadKSpace: Damaged, or anything in it fails while it is read.
        BadVolume: It reaches into other files, loops, or claims more than it stores.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            refuse_foreign(file)
            yield file
    except _DAMAGE as error:
        raise BadKSpace(f"HDF5 file is damaged or cut short ({_short(error)})") from error


def top_level(head: bytes, path: Path) -> dict[str, set[str]]:
    """Names at the top of an HDF5 file, each with the names inside it; nothing is followed.

    Empty where the file is no HDF5 or cannot be opened.
    """
    if not head.startswith(HDF5_MAGIC):
        return {}
    import h5py

    try:
        with h5py.File(path, "r") as file:
            own = {n for n in file if isinstance(file.get(n, getlink=True), h5py.HardLink)}
            found = {name: file[name] for name in own}
            return {n: set(i) if isinstance(i, h5py.Group) else set() for n, i in found.items()}
    except _DAMAGE:
        return {}


def shown_keys(names: Any) -> str:
    """Names for a sentence, sorted, not too many."""
    known = sorted(map(str, names))
    shown = ", ".join(known[:SHOWN_KEYS]) or "none"
    return shown if len(known) <= SHOWN_KEYS else f"{shown} and {len(known) - SHOWN_KEYS} more"


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
