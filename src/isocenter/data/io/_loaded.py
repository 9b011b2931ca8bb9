"""``Loaded``: what a reader hands over, before it becomes a ``Volume``.

Readers work in numpy alone, so that a damaged file is refused before torch is imported.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.data.scores import ScanFacts

__all__ = ["Loaded", "Selection"]


@dataclass(frozen=True)
class Selection:
    """Which image of a file is wanted, and what may be spent on it."""

    volume: int | None = None
    """Index along the fourth axis; ``None`` where there is only one."""
    series: str | None = None
    """DICOM series: its number as listed, or its UID."""
    max_voxels: int = 512**3
    """Largest image, in voxels, that is read; larger ones are refused before allocation."""
    voxel_size: tuple[float, float, float] | None = None
    """Voxel size in mm along the stored axes, for files that do not say it."""
    constant: bool = False
    """Whether voxels may be all the same, as those of a mask may; no scan is like that."""


@dataclass(frozen=True)
class Loaded:
    """One image as stored: values scaled to real units, axes in file order."""

    data: npt.NDArray[np.float32]
    """(x, y, z), file order of axes, slope and intercept applied."""
    affine: npt.NDArray[np.float64]
    """Stored voxel index to world, mm, RAS+ world."""
    facts: ScanFacts
    n_volumes: int = 1
    """How many volumes the file holds along its fourth axis."""
