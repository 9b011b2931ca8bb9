"""Which reader of a registry a file is for."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from isocenter.data.io._door import HEAD, enter
from isocenter.registry import Registry

__all__ = ["named_readers", "recognising_reader"]


def recognising_reader(path: Path, entries: Registry) -> ModuleType | None:
    """The reader that knows the content; one that also claims the name comes first.

    Raises:
        BadVolume: Not a regular, readable file with content.
        NothingFound: No such file.
    """
    head = enter(path).head[:HEAD]
    for reader in [*named_readers(path, entries), *_all(entries)]:
        if reader.recognises(head, path):
            return reader
    return None


def named_readers(path: Path, entries: Registry) -> list[ModuleType]:
    """The readers that claim the file's ending."""
    return [reader for reader in _all(entries) if path.name.lower().endswith(reader.ENDINGS)]


def _all(entries: Registry) -> list[ModuleType]:
    return [entries.get(name) for name in entries.names()]
