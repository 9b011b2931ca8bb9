"""Where the head is, and how bright it is."""

import numpy as np
import scipy.ndimage
import torch

from isocenter.data.shapes import Image3, Mask3

__all__ = ["head_mask", "head_scale", "otsu_threshold"]

LARGE = 1 << 20
"""Voxels from which a percentile is taken on a subset."""
COARSE_SIDE = 56
"""The mask is found on a grid of about this many cells a side: fast, and blind to noise."""


def head_mask(data: Image3) -> Mask3:
    """The head (or the brain of a skull-stripped scan) as one filled piece.

    Otsu's threshold on a coarse, smoothed copy; gaps closed, holes filled, largest piece.

    Args:
        data: Magnitude image (x, y, z), arbitrary units.

    Returns:
        Mask of the same shape; all False when the image is constant.
    """
    steps = [max(1, round(side / COARSE_SIDE)) for side in data.shape]
    coarse = _block_mean(data.abs(), steps)
    values = np.minimum(coarse, np.percentile(coarse, 99.5))
    if np.ptp(values) <= 1e-6 * values.max():
        return torch.zeros_like(data, dtype=torch.bool)
    threshold = otsu_threshold(values)
    # Dark tissue (CSF, white matter in T2) lies below Otsu's cut: half of it still clears air.
    inside = scipy.ndimage.gaussian_filter(values, 0.7) > 0.5 * threshold
    inside = scipy.ndimage.binary_opening(inside)
    inside = scipy.ndimage.binary_closing(np.pad(inside, 3), iterations=3)[3:-3, 3:-3, 3:-3]
    inside = _largest_piece(scipy.ndimage.binary_fill_holes(inside))
    fine = torch.from_numpy(inside).to(data.device)
    for axis, step in enumerate(steps):
        index = torch.arange(data.shape[axis], device=data.device) // step
        fine = fine.index_select(axis, index.clamp_max(fine.shape[axis] - 1))
    return fine


def head_scale(data: Image3, mask: Mask3 | None = None) -> float:
    """Brightness of the head: 99th percentile inside ``mask``, arbitrary units.

    Large scans are judged on every second voxel along each axis, which changes the
    percentile by far less than noise does.

    Args:
        data: Magnitude image (x, y, z).
        mask: Head; found here when not given.

    Returns:
        A positive number; the image's maximum (or 1) when the mask is empty.
    """
    mask = head_mask(data) if mask is None else mask
    if data.numel() > LARGE and mask[::2, ::2, ::2].any():
        data, mask = data[::2, ::2, ::2], mask[::2, ::2, ::2]
    inside = data[mask]
    if inside.numel() == 0:
        return float(data.abs().max()) or 1.0
    rank = max(1, round(0.99 * inside.numel()))
    return float(inside.kthvalue(rank).values) or 1.0


def otsu_threshold(values: np.ndarray, n_bins: int = 256) -> float:
    """Threshold that splits ``values`` into the two classes of least variance.

    Otsu, IEEE Trans. SMC 9(1), 1979, doi:10.1109/TSMC.1979.4310076.
    """
    counts, edges = np.histogram(values, bins=n_bins)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sum_below = np.cumsum(counts * centres)
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = sum_below / below - (sum_below[-1] - sum_below) / above
        between = np.nan_to_num(below * above * gap**2)
    return float(centres[int(between.argmax())])


def _block_mean(data: Image3, steps: list[int]) -> np.ndarray:
    pooled = torch.nn.functional.avg_pool3d(data[None, None], steps, steps, ceil_mode=True)
    return pooled[0, 0].double().cpu().numpy()


def _largest_piece(mask: np.ndarray) -> np.ndarray:
    labels, n_pieces = scipy.ndimage.label(mask)
    if n_pieces <= 1:
        return mask
    sizes = np.bincount(labels.ravel())[1:]
    return np.asarray(labels == 1 + int(sizes.argmax()))
