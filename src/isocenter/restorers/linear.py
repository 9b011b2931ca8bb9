"""Straight lines from slice to slice: the floor that every other method is compared with."""

from dataclasses import dataclass

from torch import Generator

from isocenter.data.volume import Volume
from isocenter.restorers._enhanced import Enhanced
from isocenter.restorers._restored import Progress
from isocenter.restorers._thick import interpolated, thick

__all__ = ["Options", "enhance"]


@dataclass(frozen=True)
class Options:
    """How many thin slices, and across which axis."""

    ratio: int = 0
    """Thin slices for a thick one, 2 to 8; 0: the slices' distance over the pixels' width."""
    axis: int | None = None
    """Across slices, 0 to 2 in RAS+; that of the largest voxel side if not given."""


def enhance(
    scan: Volume, options: Options, *, rng: Generator, progress: Progress | None = None
) -> Enhanced:
    """The scan on thin slices; nothing is known of the error.

    Between the centres of two thick slices brightness goes in a straight line; beyond the first
    and the last centre it stays.

    Args:
        scan: Thick slices.
        options: See :class:`Options`.
        rng: Not used.
        progress: Told once.

    Raises:
        BadVolume: Isotropic voxels.
        UsageError: A ratio or an axis that does not go with the voxels.
    """
    given = thick(scan, ratio=options.ratio, axis=options.axis)
    image = interpolated(given, order=1)
    cubic = interpolated(given, order=3)
    if progress is not None:
        progress(1, 1)
    facts = {"ratio": given.ratio, "axis": given.axis}
    return Enhanced(image, None, None, None, cubic, facts)
