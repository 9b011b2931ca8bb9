"""Straight lines from slice to slice: the floor that every other method is compared with."""

from torch import Generator

from isocenter.data.volume import Volume
from isocenter.restorers._enhanced import Enhanced
from isocenter.restorers._interpolating import Options, by_splines
from isocenter.restorers._restored import Progress

__all__ = ["Options", "enhance"]


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
    return by_splines(scan, options, 1, progress)
