"""A folder is a registry: a module's file name is the entry's name.

Listing names reads the folder and the installed entry points and imports nothing.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from isocenter.errors import UnknownName

__all__ = [
    "Registry",
    "artifacts",
    "datasets",
    "kspace_readers",
    "measures",
    "metrics",
    "models",
    "readers",
    "recipes",
    "restorers",
]


@dataclass(frozen=True)
class Registry:
    """The entries of one folder of this package and of one entry-point group.

    A file whose name begins with an underscore is no entry.
    """

    kind: str
    """What an entry is called in messages, as in ``no artifact 'moton'``."""
    folder: str
    """Folder below the package, with dots: ``data.io``."""

    @property
    def group(self) -> str:
        """Entry-point group through which other packages add entries."""
        return f"isocenter.{self.kind}s"

    def names(self) -> tuple[str, ...]:
        """All names, sorted; imports nothing."""
        return tuple(sorted({*self._files(), *self._plugins()}))

    def get(self, name: str) -> ModuleType:
        """Import and return the entry's module.

        Raises:
            UnknownName: No such entry; the message names the nearest one.
        """
        if name in self._files():
            return importlib.import_module(f"isocenter.{self.folder}.{name}")
        plugins = self._plugins()
        if name in plugins:
            loaded: ModuleType = plugins[name].load()
            return loaded
        raise UnknownName(self.kind, name, self.names())

    def _files(self) -> tuple[str, ...]:
        return _module_names(self.folder)

    def _plugins(self) -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in entry_points(group=self.group)}


@cache
def _module_names(folder: str) -> tuple[str, ...]:
    place = Path(__file__).parent.joinpath(*folder.split("."))
    return tuple(sorted(f.stem for f in place.glob("*.py") if not f.stem.startswith("_")))


artifacts = Registry("artifact", "artifacts")
datasets = Registry("dataset", "datasets.layouts")
kspace_readers = Registry("kspace_reader", "data.io.kspace")
measures = Registry("measure", "measures")
metrics = Registry("metric", "metrics")
models = Registry("model", "assessors")
readers = Registry("reader", "data.io")
recipes = Registry("recipe", "training.recipes")
restorers = Registry("restorer", "restorers")
