"""Is this a scan that the model can judge?"""

import torch

from isocenter.data.scores import Domain
from isocenter.data.volume import Volume
from isocenter.ops.slabs import Head

__all__ = ["domain_of", "outside_by_shape"]

HEAD_SIZE = (90.0, 330.0)
"""Extent of a head or brain in mm, smallest and largest, along any axis seen in full."""
LIMIT = 1.0
"""Distance from known scans above which a scan is foreign."""
FEWEST_VALUES = 200
"""A magnitude image holds more distinct values than this inside the head; a label map does not."""


def domain_of(scan: Volume, head: Head, distance: float) -> Domain:
    """Whether the scan is like the training data, by plain facts first, then by features.

    Args:
        scan: What is judged.
        head: Its head.
        distance: From the assessor.
    """
    reason = outside_by_shape(scan, head)
    if reason is None and distance > LIMIT:
        reason = f"distance {distance:.2f} from known scans, limit {LIMIT:.0f}"
    return Domain(reason is None, distance, LIMIT, reason)


def outside_by_shape(scan: Volume, head: Head) -> str | None:
    """Reasons that need no network; ``None`` when there are none."""
    if _few_values(scan, head):
        return "looks like a label or derived map"
    extent = [
        (last - first + 1) * size
        for first, last, size in zip(head.first, head.last, scan.spacing, strict=True)
    ]
    # A slab of few slices says nothing about extent along its normal.
    thick = [mm for mm, side in zip(extent, scan.shape, strict=True) if side * 3 > max(scan.shape)]
    seen = sorted(thick or extent)[-2:]
    if min(seen) < HEAD_SIZE[0] or max(seen) > HEAD_SIZE[1]:
        size = " x ".join(f"{mm:.0f}" for mm in extent)
        return f"{size} mm is not the size of a head"
    return None


def _few_values(scan: Volume, head: Head) -> bool:
    inside = scan.data[head.mask]
    whole = bool((inside == inside.round()).all())
    return whole and torch.unique(inside[:: max(1, inside.numel() // 200_000)]).numel() < (
        FEWEST_VALUES
    )
