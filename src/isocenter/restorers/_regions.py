"""Pieces of a map that stand out."""

import numpy as np
import scipy.ndimage

from isocenter.data.shapes import Mask3
from isocenter.data.volume import Volume
from isocenter.restorers._enhanced import Region

__all__ = ["regions"]


def regions(values: Volume, out: Mask3, *, axis: int, least: int) -> tuple[Region, ...]:
    """Pieces of a mask that hang together by faces, largest first.

    Args:
        values: Map whose peak is said.
        out: Where it stands out.
        axis: Across slices.
        least: Voxels of a piece, at least.
    """
    labels, n_pieces = scipy.ndimage.label(out.cpu().numpy())
    sizes = np.bincount(labels.ravel(), minlength=n_pieces + 1)
    data = values.data.cpu().numpy()
    found = []
    for number, box in enumerate(scipy.ndimage.find_objects(labels), start=1):
        if sizes[number] < least or box is None:
            continue
        inside = labels[box] == number
        places = np.argwhere(inside) + [side.start for side in box]
        middle = places.mean(0)
        there = data[box][inside]
        x, y, z = (values.affine @ [*middle, 1.0])[:3].tolist()
        peak = float(there[np.abs(there).argmax()])
        found.append(Region(int(sizes[number]), (x, y, z), round(float(middle[axis])), peak))
    return tuple(sorted(found, key=lambda one: (-one.n_voxels, one.slice)))
