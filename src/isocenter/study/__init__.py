"""Many scans: find them, name their results, run them; rated images: compare measures on them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isocenter.study.comparison import compare as compare

__all__ = ["compare"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'isocenter.study' has no attribute {name!r}")
    return getattr(importlib.import_module("isocenter.study.comparison"), name)
