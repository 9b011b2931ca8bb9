"""Slices of a scan as PNG bytes."""

import io

import numpy as np
import torch
from PIL import Image

from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume

__all__ = ["picture"]

LARGEST_SIDE = 320
"""Pixels of a picture's longer side; keeps a report below a megabyte."""
WHITE = 1.15
"""Brightness shown white, in units of the head's 99th percentile."""


def picture(scan: Volume, scale: float, axis: int, index: int) -> bytes:
    """One slice as a PNG with square pixels, the top of the head (or the nose) up.

    Args:
        scan: RAS+.
        scale: Brightness of the head, arbitrary units.
        axis: 0 sagittal, 1 coronal, 2 axial.
        index: Slice along ``axis``.
    """
    grey = _grey(scan.data.select(axis, index), scale)
    # RAS+: the second in-plane axis points up, so rows run against it; left is shown right.
    upright = np.ascontiguousarray(grey.T[::-1, ::-1] if axis else grey.T[::-1])
    width, height = [scan.spacing[a] * scan.shape[a] for a in range(3) if a != axis]
    shrink = LARGEST_SIDE / max(width, height)
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    image = Image.fromarray(upright).resize(size, Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _grey(plane: Image3 | torch.Tensor, scale: float) -> np.ndarray:
    bright = (plane / (WHITE * scale)).clamp(0, 1) * 255
    return np.asarray(bright.round().to(torch.uint8).cpu().numpy())
