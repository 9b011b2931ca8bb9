"""Stochastic image quality transfer: what a high-field scanner would have shown, and how surely.

Lin et al., Medical Image Analysis 87:102807, 2023, doi:10.1016/j.media.2023.102807; arXiv
2304.13385.  Another network, trained anew, with a calibrated interval for every voxel.
"""

from dataclasses import dataclass

from torch import Generator

from isocenter.data.volume import Volume
from isocenter.restorers._enhanced import Enhanced
from isocenter.restorers._restored import Progress
from isocenter.restorers._thick import interpolated, thick

__all__ = ["Options", "enhance"]


@dataclass(frozen=True)
class Options:
    """How many thin slices, which network, and what it may use."""

    ratio: int = 0
    """Thin slices for a thick one, 2 to 8; 0: the slices' distance over the pixels' width."""
    axis: int | None = None
    """Across slices, 0 to 2 in RAS+; that of the largest voxel side if not given."""
    members: int = 4
    """Networks in one that are asked; more say more of what is not known."""
    max_memory: float = 2.0
    """Gigabytes; decides the size of the tiles."""
    weights: str = ""
    """A checkpoint; empty: the one that ships."""
    device: str = "auto"
    """``"auto"`` (CUDA if there is any, else the CPU), or a torch device."""


def enhance(
    scan: Volume, options: Options, *, rng: Generator, progress: Progress | None = None
) -> Enhanced:
    """Thin slices with the deviation of their error and an interval."""
    given = thick(scan, ratio=options.ratio, axis=options.axis)
    cubic = interpolated(given, order=3)
    facts = {"ratio": given.ratio, "axis": given.axis}
    return Enhanced(cubic, None, None, None, cubic, facts)
