"""Which reader of k-space a file is for."""

from __future__ import annotations

from pathlib import Path

from isocenter import registry
from isocenter.data.io._choosing import named_readers, recognising_reader
from isocenter.data.io._door import enter
from isocenter.data.io.kspace._acquired import Acquired, Request
from isocenter.errors import BadKSpace

__all__ = ["load_kspace"]


def load_kspace(path: Path, request: Request) -> Acquired:
    """Read the wanted slices of any known format, without torch.

    Raises:
        BadKSpace: It cannot be used; one sentence says why.
        BadVolume: The file itself cannot be read.
        NeedsChoice: Several repetitions, echoes or phases and none chosen.
        NothingFound: No such file.
    """
    entries = registry.kspace_readers
    if enter(path).compressed:
        raise BadKSpace("the file is gzip-compressed: unpack it, k-space is read in parts")
    reader = recognising_reader(path, entries) or next(iter(named_readers(path, entries)), None)
    if reader is None:
        known = sorted(e for name in entries.names() for e in entries.get(name).ENDINGS)
        raise BadKSpace(
            f"neither content nor name is that of k-space: known are {', '.join(known)}"
        )
    acquired: Acquired = reader.load(path, request)
    return acquired
