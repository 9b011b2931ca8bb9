"""From a scan to a :class:`~isocenter.data.scores.QualityReport`, from measures to a rating."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isocenter.assessors._assess import assess as assess
    from isocenter.assessors._rating import Rating as Rating
    from isocenter.assessors._rating import rating as rating

_HOME = {"Rating": "_rating", "assess": "_assess", "rating": "_rating"}

__all__ = sorted(_HOME)  # noqa: PLE0605  (one list, two uses)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'isocenter.assessors' has no attribute {name!r}")
    return getattr(importlib.import_module(f"isocenter.assessors.{_HOME[name]}"), name)
