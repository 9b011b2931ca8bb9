"""What the numbers of an image say: nothing at all, damage, labels, a wrong type."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from isocenter.data.io._loaded import Loaded
from isocenter.data.io._slices import empty_frame, odd_slices
from isocenter.errors import BadVolume

__all__ = ["inspected", "looks_like_labels"]

Image = npt.NDArray[np.float32]

NOTICED_NEGATIVE = 0.01
"""Share of voxels below zero that a magnitude image does not have."""
WRAPPED_BELOW = -16384
"""A wrapped uint16 reaches down to -32768; phase and CT do not come near."""
FLAT_PAIRS = 0.7
"""Share of equal neighbours above which an image has no noise."""
MANY_LABELS = 512
STRIDE = 4


def inspected(loaded: Loaded, *, constant: bool = False) -> Loaded:
    """The image with non-finite voxels set to 0, and what is odd about it in the facts.

    Args:
        loaded: As the reader made it.
        constant: Whether all voxels may be the same.

    Raises:
        BadVolume: No finite voxel, or all the same where they may not be.
    """
    data, notes = _finite(loaded.data, constant)
    notes += _negative(data, loaded.facts.dtype)
    notes += empty_frame(data)
    if looks_like_labels(data):
        notes.append("looks like a label or derived map: the score means little")
    else:
        axis = _slice_axis(loaded.facts.spacing)
        notes += odd_slices(data, axis)
    facts = replace(loaded.facts, warnings=(*loaded.facts.warnings, *notes))
    return replace(loaded, data=data, facts=facts)


def looks_like_labels(data: Image) -> bool:
    """Whether the image has few, whole values that neighbours share: no noise.

    Args:
        data: (x, y, z), finite, arbitrary units.
    """
    sample = data[:, ::STRIDE, ::STRIDE]
    if not (sample == np.rint(sample)).all():
        return False
    left, right = sample[:-1], sample[1:]
    both = (left != 0) & (right != 0)
    n_pairs = int(both.sum())
    if n_pairs == 0 or float((left == right)[both].mean()) < FLAT_PAIRS:
        return False
    return len(np.unique(sample)) <= MANY_LABELS


def _finite(data: Image, constant: bool) -> tuple[Image, list[str]]:
    notes = []
    # A NaN anywhere is the minimum; an Inf is an extreme: two fast passes tell for all.
    least, most = data.min(), data.max()
    if not (np.isfinite(least) and np.isfinite(most)):
        good = np.isfinite(data)
        n_bad = int(data.size - np.count_nonzero(good))
        if n_bad == data.size:
            raise BadVolume("no finite voxels: every one is NaN or Inf")
        least, most = data[good].min(), data[good].max()
        share = n_bad / data.size
        notes = [f"{n_bad:,} voxels ({100 * share:.3g} %) are NaN or Inf and were set to 0"]
        data = np.where(good, data, np.float32(0))
    if least == most and not constant:
        raise BadVolume(f"constant image: no score (every voxel is {float(least):g})")
    return data, notes


def _negative(data: Image, dtype: str | None) -> list[str]:
    share = float((data[:, ::STRIDE, ::STRIDE] < 0).mean())
    if share < NOTICED_NEGATIVE:
        return []
    wrapped = dtype == "int16" and float(data.min()) < WRAPPED_BELOW
    cause = "uint16 stored as int16?" if wrapped else "not a magnitude image"
    return [f"{100 * share:.0f} % of the voxels are negative: {cause}"]


def _slice_axis(spacing: tuple[float, ...]) -> int:
    """The coarsest stored axis; the last one where all are alike."""
    sizes = list(spacing[:3])
    widest = max(sizes)
    return max(axis for axis, size in enumerate(sizes) if size > 0.99 * widest)
