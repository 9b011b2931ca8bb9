"""What the interpolating restorers share: their options, and one spline from slice to slice."""

from dataclasses import dataclass
from typing import Literal

from isocenter.data.volume import Volume
from isocenter.restorers._enhanced import Enhanced
from isocenter.restorers._restored import Progress
from isocenter.restorers._thick import interpolated, thick

__all__ = ["Options", "by_splines"]


@dataclass(frozen=True)
class Options:
    """How many thin slices, and across which axis."""

    ratio: int = 0
    """Thin slices for a thick one, 2 to 8; 0: the slices' distance over the pixels' width."""
    axis: int | None = None
    """Across slices, 0 to 2 in RAS+; that of the largest voxel side if not given."""


def by_splines(
    scan: Volume, options: Options, order: Literal[1, 3], progress: Progress | None
) -> Enhanced:
    """The scan on thin slices by splines of an order, beside cubic ones; no deviation."""
    given = thick(scan, ratio=options.ratio, axis=options.axis)
    cubic = interpolated(given, order=3)
    image = cubic if order == 3 else interpolated(given, order=order)
    if progress is not None:
        progress(1, 1)
    facts = {"ratio": given.ratio, "axis": given.axis}
    return Enhanced(image, None, None, None, cubic, facts)
