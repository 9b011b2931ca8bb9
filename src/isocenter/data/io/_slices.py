"""Slices that are out of order, double, missing or empty, found by their profile."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["empty_frame", "odd_slices"]

Image = npt.NDArray[np.float32]

SAMPLES = 64
"""Pixels looked at along each side of a slice."""
SKIP_CLOSER = 0.8
"""Share of the step to the next slice below which the step over it counts as shorter."""
JUMP = 1.75
"""A step this many times the larger of its neighbours is a gap.

Intact scans stay below 1.6; three missing 1 mm slices of a head exceed it three times in four,
a single one seldom.
"""


def odd_slices(data: Image, axis: int) -> list[str]:
    """Sentences about slices across ``axis`` that do not follow each other.

    Args:
        data: (x, y, z), finite, arbitrary units.
        axis: Slice axis.
    """
    slices = _thinned(data, axis)
    filled = np.flatnonzero(slices.any(axis=1))
    if len(filled) < 2:
        return []
    first, last = int(filled[0]), int(filled[-1])
    inside = slices[first : last + 1]
    empty = np.flatnonzero(~inside.any(axis=1))
    if len(empty):
        return [f"{_listed(empty + first)} {_is(empty)} empty inside the image: data are missing"]
    return _misplaced(inside, first)


def empty_frame(data: Image) -> list[str]:
    """A sentence when planes of exact zeros surround the image."""
    padded = [_padding(data, axis) for axis in range(3)]
    kept = np.prod([1 - (low + high) / side for (low, high), side in _with_sides(padded, data)])
    if kept > 0.8:
        return []
    said = ", ".join(f"{low}+{high}" for low, high in padded)
    return [f"a frame of zeros surrounds the image ({said} slices along the axes): ignored"]


def _with_sides(padded: list[tuple[int, int]], data: Image) -> list[tuple[tuple[int, int], int]]:
    return list(zip(padded, data.shape, strict=True))


def _padding(data: Image, axis: int) -> tuple[int, int]:
    """Planes of zeros before and behind the image."""
    planes = np.moveaxis(data, axis, 0)
    low = 0
    while low < len(planes) and not planes[low].any():
        low += 1
    high = 0
    while high < len(planes) - low and not planes[-1 - high].any():
        high += 1
    return low, high


def _thinned(data: Image, axis: int) -> npt.NDArray[np.float32]:
    """(slice, sampled pixel)."""
    steps = [slice(None, None, max(1, side // SAMPLES)) for side in data.shape]
    steps[axis] = slice(None)
    planes = np.moveaxis(data[tuple(steps)], axis, 0)
    return np.ascontiguousarray(planes).reshape(len(planes), -1)


def _misplaced(slices: npt.NDArray[np.float32], first: int) -> list[str]:
    step = _distances(slices, 1)
    double = np.flatnonzero(step == 0)
    if len(double):
        return [f"{_listed(double + first + 1)} {_is(double)} the same as the one before"]
    if len(step) < 7:
        return []
    swapped = _swapped(step, _distances(slices, 2))
    if len(swapped):
        pairs = ", ".join(f"{k + first} and {k + first + 1}" for k in swapped[:5])
        return [f"slices {pairs} seem to be swapped"]
    gaps = _gaps(step)
    pairs = ", ".join(f"{k + first} and {k + first + 1}" for k in gaps[:5])
    return [f"slices seem to be missing between {pairs}"] if len(gaps) else []


def _distances(slices: npt.NDArray[np.float32], apart: int) -> npt.NDArray[np.float64]:
    return np.asarray(np.abs(slices[apart:] - slices[:-apart]).mean(axis=1, dtype=np.float64))


def _swapped(step: npt.NDArray[np.float64], skip: npt.NDArray[np.float64]) -> list[int]:
    """k where slice k - 1 is nearer to k + 1 than to k, and k + 2 nearer to k than to k + 1."""
    return [
        k
        for k in range(1, len(step) - 1)
        if skip[k - 1] < SKIP_CLOSER * step[k - 1] and skip[k] < SKIP_CLOSER * step[k + 1]
    ]


def _gaps(step: npt.NDArray[np.float64]) -> list[int]:
    """k where the step from slice k to k + 1 stands out from the two steps on either side."""
    around = np.stack([step[0:-4], step[1:-3], step[3:-1], step[4:]]).max(axis=0)
    return [int(k) + 2 for k in np.flatnonzero(step[2:-2] > JUMP * around)]


def _listed(indices: npt.NDArray[np.intp]) -> str:
    named = ", ".join(str(int(index)) for index in indices[:5])
    more = f" and {len(indices) - 5} more" if len(indices) > 5 else ""
    return f"slice{'' if len(indices) == 1 else 's'} {named}{more}"


def _is(indices: npt.NDArray[np.intp]) -> str:
    return "is" if len(indices) == 1 else "are"
