"""Slices of a scan as PNG bytes, in grey or in colours that stand for values."""

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from isocenter.data.shapes import Affine44
from isocenter.data.volume import Volume

__all__ = ["RAMPS", "Mark", "coloured", "picture", "strip"]

LARGEST_SIDE = 320
"""Pixels of a picture's longer side; keeps a report below a megabyte."""
WHITE = 1.15
"""Brightness shown white, in units of the head's 99th percentile."""
RAMPS = {
    "heat": ((0, 0, 4), (81, 18, 124), (183, 55, 121), (252, 137, 97), (252, 253, 191)),
    "balance": ((125, 205, 255), (35, 95, 190), (0, 0, 0), (185, 50, 30), (255, 190, 110)),
}
"""Colours at equal distances: from dark to bright for what begins at 0, and from blue over black
to red for what is negative or positive."""
RING = (255, 214, 10)

Bytes = npt.NDArray[np.uint8]


class Mark(NamedTuple):
    """A place that a ring is drawn around."""

    centre: tuple[float, float, float]
    """World position in mm, RAS+."""
    radius: float
    """mm."""


def picture(
    scan: Volume,
    scale: float,
    axis: int,
    index: int,
    *,
    smooth: bool = True,
    marks: Sequence[Mark] = (),
) -> bytes:
    """One slice as a PNG with square pixels, the top of the head (or the nose) up.

    Args:
        scan: RAS+.
        scale: Brightness of the head, arbitrary units.
        axis: 0 sagittal, 1 coronal, 2 axial.
        index: Slice along ``axis``.
        smooth: Draw between voxels; else each voxel is a block.
        marks: Places to draw a ring around, in colour.
    """
    plane = _upright(scan, axis, index) / (WHITE * scale)
    grey = np.rint(plane.clip(0, 1) * 255).astype(np.uint8)
    return _png(_resized(Image.fromarray(grey), scan, axis, smooth), scan, axis, marks)


def coloured(
    scan: Volume,
    ramp: str,
    low: float,
    high: float,
    axis: int,
    index: int,
    *,
    smooth: bool = True,
    marks: Sequence[Mark] = (),
) -> bytes:
    """One slice of a map as a PNG, oriented as :func:`picture` does.

    Args:
        scan: RAS+; any values.
        ramp: One of :data:`RAMPS`.
        low: Value of the ramp's first colour.
        high: Value of its last one; larger than ``low``.
        axis: 0 sagittal, 1 coronal, 2 axial.
        index: Slice along ``axis``.
        smooth: Draw between voxels; else each voxel is a block.
        marks: Places to draw a ring around.
    """
    share = (_upright(scan, axis, index) - low) / (high - low)
    image = Image.fromarray(_colours(share.clip(0, 1), ramp))
    return _png(_resized(image, scan, axis, smooth), scan, axis, marks)


def strip(ramp: str, n: int = 128) -> bytes:
    """The ramp as a PNG one pixel high, from its lowest value to its highest."""
    buffer = io.BytesIO()
    Image.fromarray(_colours(np.linspace(0, 1, n)[None], ramp)).save(buffer, format="PNG")
    return buffer.getvalue()


def _upright(scan: Volume, axis: int, index: int) -> npt.NDArray[np.float64]:
    plane = scan.data.select(axis, index).double().cpu().numpy()
    # RAS+: the second in-plane axis points up, so rows run against it; left is shown right.
    return np.ascontiguousarray(plane.T[::-1, ::-1] if axis else plane.T[::-1])


def _colours(share: npt.NDArray[np.float64], ramp: str) -> Bytes:
    anchors = np.array(RAMPS[ramp], dtype=float)
    places = np.linspace(0, 1, len(anchors))
    channels = [np.interp(share, places, anchors[:, channel]) for channel in range(3)]
    colours: Bytes = np.rint(np.stack(channels, -1)).astype(np.uint8)
    return colours


def _resized(image: Image.Image, scan: Volume, axis: int, smooth: bool) -> Image.Image:
    width, height = [scan.spacing[a] * scan.shape[a] for a in range(3) if a != axis]
    shrink = LARGEST_SIDE / max(width, height)
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    way = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    return image.resize(size, way)


def _png(image: Image.Image, scan: Volume, axis: int, marks: Sequence[Mark]) -> bytes:
    if marks:
        image = image.convert("RGB")
        pen = ImageDraw.Draw(image)
        for mark in marks:
            pen.ellipse(_box(mark, scan, axis, image.size), outline=RING, width=2)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _box(
    mark: Mark, scan: Volume, axis: int, size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the ring, in pixels."""
    voxel = _voxel(mark.centre, scan.affine)
    across, up = (a for a in range(3) if a != axis)
    column = (voxel[across] + 0.5) / scan.shape[across]
    row = 1 - (voxel[up] + 0.5) / scan.shape[up]
    x, y = (1 - column if axis else column) * size[0], row * size[1]
    radius = mark.radius * size[0] / (scan.spacing[across] * scan.shape[across])
    return x - radius, y - radius, x + radius, y + radius


def _voxel(centre: tuple[float, float, float], affine: Affine44) -> npt.NDArray[np.float64]:
    return np.linalg.solve(affine, np.array([*centre, 1.0]))[:3]
