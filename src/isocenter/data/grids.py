"""Files that lie on a scan's grid: a reference, a mask, maps of tissue."""

from pathlib import Path

import numpy as np

from isocenter.data.io import read
from isocenter.data.shapes import Mask3
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume, IsocenterError

__all__ = ["mask_of", "on_grid"]

NEAR = 1e-3
"""Difference of two affines, in mm, that is no difference."""


def on_grid(
    given: Volume | Path | str, scan: Volume, what: str, *, constant: bool = False
) -> Volume:
    """A volume, or the content of a file, that has to lie on the scan's grid.

    Args:
        given: The volume or its path.
        scan: Whose grid.
        what: What the volume is called in the message.
        constant: Whether voxels of a file may be all the same.

    Raises:
        BadVolume: It cannot be read, or lies on another grid.
    """
    volume = given if isinstance(given, Volume) else _read(given, what, constant)
    if volume.shape != scan.shape:
        raise BadVolume(
            f"{what} {volume.shape} is not on the scan's grid {scan.shape}; resample it first"
        )
    if not np.allclose(volume.affine, scan.affine, atol=NEAR):
        apart = float(np.abs(volume.affine - scan.affine).max())
        raise BadVolume(
            f"{what} lies elsewhere than the scan: their affines differ by {apart:.3g} mm; "
            "resample it first"
        )
    return volume


def mask_of(given: Volume | Path | str, scan: Volume, what: str) -> Mask3:
    """Where a volume on the scan's grid is above zero.

    Raises:
        BadVolume: It cannot be read, lies on another grid, or is nowhere above zero.
    """
    mask = on_grid(given, scan, what, constant=True).data > 0
    if not bool(mask.any()):
        raise BadVolume(f"{what} is empty: give one that is above zero somewhere")
    return mask


def _read(path: Path | str, what: str, constant: bool) -> Volume:
    """The file's content; whatever is wrong with it is said of ``what``."""
    try:
        return read(path, constant=constant)
    except IsocenterError as error:
        raise BadVolume(f"{what} cannot be used: {error}") from error
