"""From a scan to a :class:`~isocenter.data.scores.QualityReport`, from measures to a rating."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isocenter.assessors._assess import assess as assess
    from isocenter.assessors._measured import NoRating as NoRating
    from isocenter.assessors._measured import measured as measured
    from isocenter.assessors._measured import ratings as ratings
    from isocenter.assessors._measured import scores_of_file as scores_of_file
    from isocenter.assessors._metrics import Metrics as Metrics
    from isocenter.assessors._metrics import MetricScore as MetricScore
    from isocenter.assessors._metrics import metrics as metrics
    from isocenter.assessors._metrics import metrics_that_compare as metrics_that_compare
    from isocenter.assessors._rating import Rating as Rating
    from isocenter.assessors._rating import rating as rating

_HOME = {
    "MetricScore": "_metrics",
    "Metrics": "_metrics",
    "NoRating": "_measured",
    "Rating": "_rating",
    "assess": "_assess",
    "measured": "_measured",
    "metrics": "_metrics",
    "metrics_that_compare": "_metrics",
    "rating": "_rating",
    "ratings": "_measured",
    "scores_of_file": "_measured",
}

__all__ = sorted(_HOME)  # noqa: PLE0605  (one list, two uses)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'isocenter.assessors' has no attribute {name!r}")
    return getattr(importlib.import_module(f"isocenter.assessors.{_HOME[name]}"), name)
