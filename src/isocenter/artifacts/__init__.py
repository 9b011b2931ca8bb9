"""Known damage, of a known level, done to a scan.

Each artifact is one file with ``draw`` (all chance) and ``apply`` (none); the file's name is
the artifact's name, and :data:`isocenter.registry.artifacts` finds it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from isocenter.artifacts._presets import PRESETS, preset_names, versions

if TYPE_CHECKING:
    from isocenter.artifacts._artifact import Artifact as Artifact
    from isocenter.artifacts._artifact import artifact as artifact
    from isocenter.artifacts._artifact import replay as replay
    from isocenter.artifacts._version import PRISTINE as PRISTINE
    from isocenter.artifacts._version import Version as Version
    from isocenter.artifacts._version import benchmark_versions as benchmark_versions
    from isocenter.artifacts._version import make_version as make_version

__all__ = [
    "PRESETS",
    "PRISTINE",
    "Artifact",
    "Version",
    "artifact",
    "benchmark_versions",
    "make_version",
    "preset_names",
    "replay",
    "versions",
]

_PLACES = dict.fromkeys(("Artifact", "artifact", "replay"), "_artifact")
_PLACES |= dict.fromkeys(("PRISTINE", "Version", "benchmark_versions", "make_version"), "_version")


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'isocenter.artifacts' has no attribute {name!r}")
    return getattr(importlib.import_module(f"isocenter.artifacts.{_PLACES[name]}"), name)
