"""HDF5 that holds what it says, and nothing of another file."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from isocenter.data.io._raw import BELIEVABLE_EXPANSION, HARMLESS
from isocenter.errors import BadVolume

__all__ = ["HDF5_MAGIC", "refuse_foreign"]

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"

MOST_OBJECTS = 2000
"""A scan or k-space holds a few dozen."""


def refuse_foreign(file: Any) -> None:
    """Refuse an HDF5 file that reaches into other files, loops, or claims what it has not.

    Args:
        file: An open ``h5py.File``.

    Raises:
        BadVolume: External or soft link, external or virtual storage, too many objects, or a
            data set far larger than its stored bytes.
    """
    for dataset in _datasets(file):
        if dataset.external:
            raise BadVolume("HDF5 external storage refused: the data must be in the file itself")
        if dataset.is_virtual:
            raise BadVolume("HDF5 virtual data set refused: the data must be in the file itself")
        _refuse_claim(dataset)


def _datasets(file: Any) -> Iterator[Any]:
    import h5py

    waiting, n_seen = [file], 0
    while waiting:
        group = waiting.pop()
        for name in group:
            n_seen += 1
            if n_seen > MOST_OBJECTS:
                raise BadVolume(f"more than {MOST_OBJECTS} objects in the file: not a scan")
            kind = type(group.get(name, getlink=True))
            if kind is not h5py.HardLink:
                raise BadVolume(f"HDF5 {kind.__name__} refused: the data must be in the file")
            item = group[name]
            if isinstance(item, h5py.Dataset):
                yield item
            else:
                waiting.append(item)


def _refuse_claim(dataset: Any) -> None:
    n_values = prod(dataset.shape or ())
    stored = max(1, int(dataset.id.get_storage_size()))
    claimed = n_values * dataset.dtype.itemsize
    if 4 * n_values > HARMLESS and claimed > BELIEVABLE_EXPANSION * stored:
        raise BadVolume(f"header asks {claimed:,} bytes; file stores {stored:,}: not a scan")
