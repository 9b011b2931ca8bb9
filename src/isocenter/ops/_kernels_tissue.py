"""Compiled expectation step of the tissue mixture: one pass over the brain's box."""

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["COUNTED", "OUTSIDE", "SEEN", "expect_slabs"]

Array = npt.NDArray[np.float32]

OUTSIDE, SEEN, COUNTED = 0, 1, 2
"""States of a voxel: not brain; gets a tissue; gets one and has a say in what tissues are."""


@njit(cache=True, nogil=True, inline="always")
def _pull(old: Array, i: int, j: int, k: int, tissue: int, weights: Array) -> float:
    """Weighted sum of a tissue's probability at the six neighbours."""
    total = 0.0
    if i > 0:
        total += weights[0] * old[i - 1, j, k, tissue]
    if i + 1 < old.shape[0]:
        total += weights[0] * old[i + 1, j, k, tissue]
    if j > 0:
        total += weights[1] * old[i, j - 1, k, tissue]
    if j + 1 < old.shape[1]:
        total += weights[1] * old[i, j + 1, k, tissue]
    if k > 0:
        total += weights[2] * old[i, j, k - 1, tissue]
    if k + 1 < old.shape[2]:
        total += weights[2] * old[i, j, k + 1, tissue]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def expect_slabs(
    image: Array,
    state: npt.NDArray[np.uint8],
    field: Array,
    old: Array,
    classes: npt.NDArray[np.float64],
    weights: Array,
    loose: float,
    steps: tuple[int, int, int],
    new: Array,
    sums: npt.NDArray[np.float64],
    cells: npt.NDArray[np.float64],
    start: int,
    stop: int,
) -> None:
    """Probabilities of the tissues at every voxel of the slabs ``start`` to ``stop``.

    Args:
        image: (x, y, z).
        state: Of every voxel.
        field: Shading that multiplies the tissues' means.
        old: Probabilities of the round before, (x, y, z, tissue).
        classes: Mean, half the precision and share over width, (3, tissue).
        weights: Of the neighbours along x, y, z.
        loose: Added to what the neighbours say, so that they cannot rule a tissue out.
        steps: Voxels of a cell of the shading's grid along x, y, z.
        new: Probabilities, written.
        sums: Of probability and of squared residuals, (slab, 2, tissue), added to.
        cells: Sums of squared shading and of shading times residual in every cell, weighted
            by probability, (x, y, z, 2, tissue), added to.
    """
    n_tissues = classes.shape[1]
    gap, chance = np.empty(n_tissues), np.empty(n_tissues)
    for slab in range(start, stop):
        for i in range(slab * steps[0], min((slab + 1) * steps[0], image.shape[0])):
            for j in range(image.shape[1]):
                y = j // steps[1]
                for k in range(image.shape[2]):
                    if state[i, j, k] == OUTSIDE:
                        continue
                    z, light = k // steps[2], np.float64(field[i, j, k])
                    highest = -np.inf
                    for tissue in range(n_tissues):
                        gap[tissue] = image[i, j, k] - light * classes[0, tissue]
                        chance[tissue] = -classes[1, tissue] * gap[tissue] * gap[tissue]
                        highest = max(highest, chance[tissue])
                    total = 0.0
                    for tissue in range(n_tissues):
                        prior = loose + _pull(old, i, j, k, tissue, weights)
                        chance[tissue] = (
                            prior * classes[2, tissue] * np.exp(chance[tissue] - highest)
                        )
                        total += chance[tissue]
                    for tissue in range(n_tissues):
                        share = chance[tissue] / total
                        new[i, j, k, tissue] = share
                        if state[i, j, k] == COUNTED:
                            sums[slab, 0, tissue] += share
                            sums[slab, 1, tissue] += share * gap[tissue] * gap[tissue]
                            cells[slab, y, z, 0, tissue] += share * light * light
                            cells[slab, y, z, 1, tissue] += share * light * gap[tissue]
