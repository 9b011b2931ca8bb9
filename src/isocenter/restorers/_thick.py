"""Thick slices, and the thin ones that stand for them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from isocenter.artifacts._low_field_scan import slice_axis
from isocenter.data.shapes import Affine44, Image3
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume, UsageError
from isocenter.ops.thick_slices import Acquisition, interpolation
from isocenter.ops.windows import multiply_along

__all__ = ["LARGEST", "SMALLEST", "Thick", "interpolated", "thick"]

SMALLEST, LARGEST = 2, 8
"""Thin slices for a thick one."""
ISOTROPIC = 1.5
"""Slices less thick than this over the pixels' width are thin ones already."""
MISFIT = 1.75
"""Thin slices over the pixels' width, or the other way round, at most."""


@dataclass(frozen=True, eq=False)
class Thick:
    """A scan of thick slices, and how many thin ones stand for each."""

    scan: Volume
    axis: int
    """Across slices."""
    ratio: int
    """Thin slices for a thick one."""

    @property
    def acquisition(self) -> Acquisition:
        """Every block of thin slices is centred on its thick one."""
        return Acquisition(self.ratio)

    @property
    def affine(self) -> Affine44:
        """Of the thin slices."""
        thin: Affine44 = self.scan.affine.copy()
        thin[:3, self.axis] /= self.ratio
        thin[:3, 3] -= self.acquisition.first * thin[:3, self.axis]
        return thin

    def volume(self, data: Image3) -> Volume:
        """Values on the thin slices as a scan at the same place, slice axis where it was."""
        return Volume(data.contiguous(), self.affine, self.scan.contrast, self.scan.history)


def thick(scan: Volume, *, ratio: int = 0, axis: int | None = None) -> Thick:
    """Find the slice axis and the ratio.

    Args:
        scan: Thick slices.
        ratio: Thin slices for a thick one; 0: the slices' distance over the pixels' width.
        axis: Across slices; that of the largest voxel side if not given.

    Raises:
        BadVolume: Isotropic voxels, slices too thick, or only one.
        UsageError: A ratio or an axis that does not go with the voxels.
    """
    if axis is not None and axis not in (0, 1, 2):
        raise UsageError(f"axis is {axis}: give 0, 1 or 2")
    if ratio != 0 and not SMALLEST <= ratio <= LARGEST:
        raise UsageError(f"ratio is {ratio}: give {SMALLEST} to {LARGEST}, or 0 to find it")
    axis = slice_axis(scan) if axis is None else axis
    pixel = float(np.sqrt(np.prod([mm for i, mm in enumerate(scan.spacing) if i != axis])))
    found = scan.spacing[axis] / pixel
    size = " x ".join(f"{mm:.2f}" for mm in scan.spacing)
    if found < ISOTROPIC:
        raise BadVolume(
            f"voxels are {size} mm, already isotropic: give a scan whose slices are at least "
            f"{ISOTROPIC} times as thick as its pixels are wide"
        )
    chosen = ratio or min(max(round(found), SMALLEST), LARGEST)
    misfit = chosen / found
    if ratio and not 1 / MISFIT <= misfit <= MISFIT:
        raise UsageError(
            f"ratio {ratio} does not go with voxels of {size} mm, whose slices are {found:.1f} "
            f"times as thick as pixels are wide: leave it out, or give about that"
        )
    if misfit < 1 / MISFIT:
        raise BadVolume(
            f"voxels are {size} mm, slices {found:.1f} times as thick as pixels are wide, and at "
            f"most {LARGEST * MISFIT:.0f} can be enhanced: give thinner slices or wider pixels"
        )
    if scan.shape[axis] < 2:
        raise BadVolume("the scan has a single slice: give a stack of slices")
    return Thick(scan, axis, chosen)


def interpolated(given: Thick, *, order: Literal[1, 3]) -> Volume:
    """The scan on the thin slices: straight lines (1) or cubic splines (3) across slices."""
    n_coarse = given.scan.shape[given.axis]
    matrix = interpolation(n_coarse * given.ratio, n_coarse, given.acquisition, order=order)
    return given.volume(multiply_along(given.scan.data, matrix.T, given.axis))
