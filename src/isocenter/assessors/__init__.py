"""From a scan to a :class:`~isocenter.data.scores.QualityReport`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isocenter.assessors._assess import assess as assess

__all__ = ["assess"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'isocenter.assessors' has no attribute {name!r}")
    return getattr(importlib.import_module("isocenter.assessors._assess"), name)
