"""A quality put onto the truth's scale by people outside training, and how far off it is."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["fit_quality", "widths_by_range"]

N_BINS = 3
"""Ranges of quality with a width of their own."""
COVERAGE = 0.9
Array = npt.NDArray[np.float64]


def fit_quality(said: Array, truth: Array, people: Sequence[str]) -> dict[str, float | list[float]]:
    """Line from what is said to the truth, and widths that hold 90 % of the errors.

    Every person is predicted by the line of the others, so that the widths are honest.

    Args:
        said: (rows,) estimates.
        truth: (rows,) on the same scale.
        people: Person of every row, two or more different ones.

    Returns:
        ``slope`` and ``offset``; ``edges`` between ranges of the fitted estimate, and the
        ``half_widths`` in them.
    """
    names, predicted = np.asarray(people), np.zeros(len(said))
    for person in np.unique(names):
        here = names == person
        predicted[here] = np.polyval(np.polyfit(said[~here], truth[~here], 1), said[here])
    slope, offset = np.polyfit(said, truth, 1)
    widths = widths_by_range(predicted, np.abs(predicted - truth))
    return {"slope": float(slope), "offset": float(offset), **widths}


def widths_by_range(estimate: Array, errors: Array) -> dict[str, list[float]]:
    """Edges between ranges of as many estimates each, and what holds 90 % of the errors in them.

    Args:
        estimate: (rows,).
        errors: (rows,) not negative.

    Returns:
        ``edges``; ``half_widths``, one more.
    """
    edges = np.quantile(estimate, np.arange(1, N_BINS) / N_BINS)
    bins = np.digitize(estimate, edges, right=True)
    widths = [float(np.quantile(errors[bins == i], COVERAGE)) for i in range(N_BINS)]
    return {"edges": edges.tolist(), "half_widths": widths}
