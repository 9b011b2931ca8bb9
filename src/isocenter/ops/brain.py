"""Where the brain is in a head: a threshold that shading does not fool, erosion, growth."""

import numpy as np
import numpy.typing as npt
import scipy.ndimage
import torch

from isocenter.data.shapes import Image3, Mask3
from isocenter.errors import BadVolume
from isocenter.ops.regions import head_mask

__all__ = ["brain_mask", "why_implausible"]

GRID_MM = 2.0
"""The brain is looked for on cells of about this size."""
EVEN_MM = 25.0
"""Brightness is judged against its mean around, a Gaussian of this standard deviation."""
DARK, BRIGHT = 0.6, 2.0
"""Over that mean: outside of these is no tissue to judge it by."""
DARKEST = {"T1w": 0.60, "FLAIR": 0.60, "T2w": 0.45, "PDw": 0.45}
"""Brain tissue over the median of the head's middle, at least; in T2w its fluid, too."""
BRIGHTEST = {"T1w": 1.65, "FLAIR": 1.9, "T2w": 6.0, "PDw": 2.5}
"""... and at most: fat is brighter."""
SCALP_MM = 5.0
"""No brain is nearer than this to the air."""
TALLEST_MM = 165.0
"""No brain reaches further below the top of the head."""
EROSIONS_MM = (3.0, 4.0, 5.0, 6.0, 8.0)
"""Bridges of up to twice this width are cut; the first that leaves a brain's size is taken."""
CLOSING_MM = 8.0
"""Sulci of up to twice this width belong to the brain."""
RIM_MM = 2.0
"""Fluid around the brain that belongs to the mask."""
LARGEST_CORE_ML = 1760.0
"""A piece larger than this still hangs together with what is not brain."""
SMALLEST_ML, LARGEST_ML = 700.0, 2000.0
WIDEST_CUT = 0.1
"""The mask's lowest slice, when it is the image's too, over its largest; a stem is narrower."""
RING_MM = (5.0, 12.0)
"""Below a head's surface is bone at this depth, below a brain's is brain."""
MOST_DARK = 0.4
"""Of that ring in a skull-stripped scan."""

Grid = npt.NDArray[np.float64]
Cells = npt.NDArray[np.bool_]


def brain_mask(
    data: Image3, *, spacing: tuple[float, float, float], contrast: str | None = "T1w"
) -> Mask3:
    """The brain with the fluid in its folds, by classical means.

    Cells as bright as the middle of the head, under the shading, are eroded until they no
    longer hang together with the scalp; the largest piece grows back, folds are closed and
    holes filled.  A scan with nothing but zeros around the brain, and no bone below the
    surface, gives what is not zero, filled.  Ask :func:`why_implausible` of the result.

    Args:
        data: Magnitude image (x, y, z), RAS+, arbitrary units.
        spacing: Voxel size along x, y, z in mm.
        contrast: ``"T1w"``, ``"T2w"``, ``"PDw"`` or ``"FLAIR"``; any other is taken for T1w.

    Returns:
        Mask of the same shape; empty where no head is found, as in a single slice.

    Raises:
        BadVolume: The image is constant, so that it shows no head.
    """
    if data.min() == data.max():
        raise BadVolume("the image is constant, so that it shows no head: give another scan")
    support = _stripped_support(data, spacing)
    if support is not None:
        return torch.from_numpy(support).to(data.device)
    steps = [
        max(1, min(round(GRID_MM / size), side))
        for size, side in zip(spacing, data.shape, strict=True)
    ]
    sizes = [size * step for size, step in zip(spacing, steps, strict=True)]
    coarse = torch.nn.functional.avg_pool3d(data[None, None].abs(), steps, steps, ceil_mode=True)
    brain = _brain_cells(coarse[0, 0], sizes, contrast)
    return _refined(brain, steps, data)


def why_implausible(mask: Mask3, spacing: tuple[float, float, float]) -> str | None:
    """Why the mask is not that of an adult's whole brain, or ``None``.

    Args:
        mask: Brain, (x, y, z), RAS+.
        spacing: Voxel size along x, y, z in mm.
    """
    volume = float(mask.sum()) * float(np.prod(spacing)) / 1000
    if not SMALLEST_ML <= volume <= LARGEST_ML:
        return (
            f"the brain's mask holds {volume:.0f} ml, "
            f"{SMALLEST_ML:.0f} to {LARGEST_ML:.0f} ml are plausible"
        )
    areas = mask.sum((0, 1))
    cut = float(areas[0] / areas.max())
    if cut > WIDEST_CUT:
        return (
            f"the brain's mask runs out of the image below, where it is {cut:.0%} of its widest "
            f"slice: the brain is cut off, or the mask leaks into the neck"
        )
    return None


def _stripped_support(data: Image3, spacing: tuple[float, float, float]) -> Cells | None:
    """What is not zero, filled, when the scan shows a brain without its head."""
    values = data.cpu().numpy()
    support = values != 0
    if support.mean() > 0.95:
        return None
    support = _largest_piece(support)
    if np.count_nonzero(values) > 1.02 * np.count_nonzero(support):
        return None
    filled = np.asarray(scipy.ndimage.binary_fill_holes(support))
    if filled.sum() * float(np.prod(spacing)) / 1000 > LARGEST_ML:
        return None
    steps = tuple(slice(None, None, max(1, round(GRID_MM / size))) for size in spacing)
    sizes = [size * (step.step or 1) for size, step in zip(spacing, steps, strict=True)]
    depth = _depth(filled[steps], sizes)
    ring = values[steps][(depth > RING_MM[0]) & (depth < RING_MM[1])]
    deep = values[steps][depth >= RING_MM[1]]
    if ring.size == 0 or deep.size == 0:
        return filled
    return filled if float((ring < 0.5 * np.median(deep)).mean()) < MOST_DARK else None


def _brain_cells(coarse: Image3, sizes: list[float], contrast: str | None) -> Cells:
    head = _filled_slices(head_mask(coarse).cpu().numpy())
    if not head.any():
        return head
    values = coarse.double().cpu().numpy()
    even = _even(values, head, sizes)
    depth = _depth(head, sizes)
    height = (np.nonzero(head.any((0, 1)))[0].max() - np.arange(head.shape[2])) * sizes[2]
    depth[:, :, height > TALLEST_MM] = 0.0
    middle = depth > 0.6 * depth.max()
    bright = even[middle & (even > DARK)]
    level = float(np.median(bright if bright.size else even[middle]))
    kind = contrast if contrast in DARKEST else "T1w"
    tissue = (even > DARKEST[kind] * level) & (even < BRIGHTEST[kind] * level)
    tissue &= depth > SCALP_MM
    brain = np.zeros_like(head)
    for radius in EROSIONS_MM:
        brain = _without_bridges(tissue, middle, sizes, radius)
        if brain.sum() * float(np.prod(sizes)) / 1000 <= LARGEST_CORE_ML:
            break
    return np.asarray((_distance(_closed(brain, sizes), sizes) <= RIM_MM) & head)


def _filled_slices(head: Cells) -> Cells:
    """The head with what axial slices enclose: a skull base so dark that it passes for air."""
    slices = [scipy.ndimage.binary_fill_holes(head[:, :, z]) for z in range(head.shape[2])]
    return np.stack(slices, -1)


def _even(values: Grid, head: Cells, sizes: list[float]) -> Grid:
    """Brightness over its mean around; bone and fluid have no say in that the second time."""
    sigma = [EVEN_MM / size for size in sizes]
    counted, even = head, values
    for _ in range(2):
        around = scipy.ndimage.gaussian_filter(values * counted, sigma, truncate=2.5)
        share = scipy.ndimage.gaussian_filter(counted.astype(float), sigma, truncate=2.5)
        even = values * share / np.maximum(around, 1e-12 + 1e-6 * around.max())
        counted = head & (even > DARK) & (even < BRIGHT)
    return np.asarray(even)


def _without_bridges(tissue: Cells, middle: Cells, sizes: list[float], radius: float) -> Cells:
    """The piece with most of the head's middle once thin parts are gone, grown back."""
    pieces, n_pieces = scipy.ndimage.label(_depth(tissue, sizes) > radius)
    if n_pieces == 0:
        return tissue & middle
    counts = np.bincount(pieces[middle], minlength=n_pieces + 1)
    counts[0] = 0
    core = pieces == int(counts.argmax())
    return np.asarray(tissue & (_distance(core, sizes) <= radius + max(sizes[:2])))


def _closed(mask: Cells, sizes: list[float]) -> Cells:
    """Folds closed, holes filled, edges rounded."""
    margins = [(int(CLOSING_MM / size) + 2,) * 2 for size in sizes]
    wide = _distance(np.pad(mask, margins), sizes) <= CLOSING_MM
    closed = _distance(~wide, sizes) > CLOSING_MM
    closed = scipy.ndimage.binary_fill_holes(closed)
    inner = tuple(slice(before, -after) for before, after in margins)
    return _largest_piece(np.asarray(closed[inner]))


def _refined(cells: Cells, steps: list[int], data: Image3) -> Mask3:
    """Cells on the image's grid, their corners rounded."""
    grid = torch.from_numpy(cells.astype(np.float32))[None, None]
    padded = [side * step for side, step in zip(cells.shape, steps, strict=True)]
    fine = torch.nn.functional.interpolate(grid, padded, mode="trilinear", align_corners=False)
    x, y, z = data.shape
    return (fine[0, 0, :x, :y, :z] > 0.5).to(data.device)


def _depth(mask: Cells, sizes: list[float]) -> Grid:
    """Distance from what is not the mask, mm; what lies beyond the image is not the mask."""
    return _distance(~np.pad(mask, 1), sizes)[1:-1, 1:-1, 1:-1]


def _distance(mask: Cells, sizes: list[float]) -> Grid:
    """Distance to the mask, mm; endless when it is empty."""
    if not mask.any():
        return np.full(mask.shape, np.inf)
    return np.asarray(scipy.ndimage.distance_transform_edt(~mask, sampling=sizes))


def _largest_piece(mask: Cells) -> Cells:
    labels, n_pieces = scipy.ndimage.label(mask)
    if n_pieces <= 1:
        return mask
    return np.asarray(labels == 1 + int(np.bincount(labels.ravel())[1:].argmax()))
