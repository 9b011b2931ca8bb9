"""Reading and writing scans: one file per format behind :func:`read` and :func:`write`.

Files of k-space have readers of their own, behind :func:`read_kspace`.

:func:`load` and :func:`count_volumes` work without torch, so that a damaged file is refused
before torch is imported; the names that make or take a ``Volume`` are imported when used.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from isocenter import registry
from isocenter.data.io._choosing import named_readers, recognising_reader
from isocenter.data.io._content import inspected
from isocenter.data.io._loaded import Loaded, Selection
from isocenter.data.io._names import contrast_of
from isocenter.errors import BadVolume

if TYPE_CHECKING:
    from isocenter.data.io._cropping import cropped as cropped
    from isocenter.data.io._volumes import read as read
    from isocenter.data.io._volumes import to_volume as to_volume
    from isocenter.data.io._volumes import write as write
    from isocenter.data.io.kspace._reading import read_kspace as read_kspace
    from isocenter.data.io.kspace._reading import read_mask as read_mask
    from isocenter.data.io.kspace._writing import to_scan as to_scan
    from isocenter.data.io.kspace._writing import write_cfl as write_cfl
    from isocenter.data.io.kspace._writing import write_kspace_hdf5 as write_kspace_hdf5

__all__ = [
    "Loaded",
    "Selection",
    "contrast_of",
    "count_volumes",
    "cropped",
    "load",
    "read",
    "read_kspace",
    "read_mask",
    "to_scan",
    "to_volume",
    "write",
    "write_cfl",
    "write_kspace_hdf5",
]

_NEEDS_TORCH = {
    "cropped": "_cropping",
    "read": "_volumes",
    "read_kspace": "kspace._reading",
    "read_mask": "kspace._reading",
    "to_scan": "kspace._writing",
    "to_volume": "_volumes",
    "write": "_volumes",
    "write_cfl": "kspace._writing",
    "write_kspace_hdf5": "kspace._writing",
}


def __getattr__(name: str) -> object:
    if name not in _NEEDS_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"isocenter.data.io.{_NEEDS_TORCH[name]}"), name)
    globals()[name] = value
    return value


def load(path: Path | str, selection: Selection | None = None) -> Loaded:
    """Read one image of any known format, as stored, without torch.

    Args:
        path: A file, or a folder of DICOM files.
        selection: Which volume or series, and what may be spent on it.

    Returns:
        Finite values in real units, axes in file order; ``facts.warnings`` says what was
        noticed.

    Raises:
        BadVolume: It cannot be used; one sentence says why.
        NeedsChoice: Several volumes or series and none chosen.
        NothingFound: No such file.
    """
    path, selection = Path(path), selection or Selection()
    loaded: Loaded = _reader_of(path).load(path, selection)
    return inspected(loaded, constant=selection.constant)


def count_volumes(path: Path | str) -> int:
    """How many volumes a file holds along its fourth axis; reads little more than the header.

    Raises:
        BadVolume: The header cannot be used.
        NothingFound: No such file.
    """
    path = Path(path)
    count: Callable[[Path], int] | None = getattr(_reader_of(path), "count_volumes", None)
    return count(path) if count else 1


def _reader_of(path: Path) -> ModuleType:
    """The reader that knows the content; where none does, the one that claims the name.

    Raises:
        BadVolume: Neither content nor name is known.
    """
    if path.is_dir():
        return registry.readers.get("dicom")
    reader = recognising_reader(path, registry.readers)
    if reader is not None:
        return reader
    if recognising_reader(path, registry.kspace_readers) is not None:
        raise BadVolume("this is k-space, not an image: make one with `isocenter reconstruct`")
    named = named_readers(path, registry.readers)
    if named:
        return named[0]
    readers = [registry.readers.get(name) for name in registry.readers.names()]
    known = ", ".join(sorted(ending for reader in readers for ending in reader.ENDINGS))
    raise BadVolume(f"neither content nor name is that of a scan: known are {known}")
