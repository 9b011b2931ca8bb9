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

__all__ = ["PRESETS", "Artifact", "artifact", "preset_names", "replay", "versions"]


def __getattr__(name: str) -> object:
    if name not in ("Artifact", "artifact", "replay"):
        raise AttributeError(f"module 'isocenter.artifacts' has no attribute {name!r}")
    return getattr(importlib.import_module("isocenter.artifacts._artifact"), name)
