"""The head and the air around it on a coarse grid of cells, despite waves through the image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage
import torch
from torch import Tensor
from torch.nn import functional as F

from isocenter.data.shapes import Image3, Mask3
from isocenter.ops.power_spectrum import PowerSpectrum, power_spectrum
from isocenter.ops.regions import head_mask, head_scale

__all__ = ["HeadCells", "find_cells"]

COARSE_SIDE = 56
SPIKE = 7.0
"""Log power over its shell from which a point of the spectrum is a spike and no anatomy."""
WAVE = 4.5
"""The same in the spectrum of the squared image, where spikes beat against each other."""


@dataclass(frozen=True, eq=False)
class HeadCells:
    """Cells of a few mm: which are head, how far the others are, how bright each is."""

    inside: Tensor
    """(a, b, c), True in the head."""
    distance: Tensor
    """(a, b, c), mm to the head; 0 inside."""
    square: Tensor
    """(a, b, c), mean squared brightness, in units of the head's 99th percentile."""
    fourth: Tensor
    """(a, b, c), mean fourth power."""
    steps: tuple[int, ...]
    """Voxels of a cell along each axis."""
    scale: float
    """The head's 99th percentile, arbitrary units."""
    mask: Mask3
    """The head on the grid of the image."""

    def fine(self, cells: Tensor) -> Mask3:
        """A mask of cells on the grid of the image."""
        return _fine(cells, self.mask.shape, self.steps)

    def air(self, nearest: float) -> Tensor:
        """Cells further than ``nearest`` mm from the head; all outside it, or all, if too few."""
        for chosen in (self.distance > nearest, ~self.inside):
            if int(chosen.sum()) >= 100:
                return chosen
        return torch.ones_like(self.inside)


def find_cells(
    data: Image3, spacing: Sequence[float], spectrum: PowerSpectrum | None = None
) -> HeadCells:
    """Find the head.

    Spikes put a pedestal under the whole image that a threshold takes for tissue.  In the
    square of the image the waves of a few spikes are a constant and a few points of the
    spectrum, which are taken out first.

    Args:
        data: Magnitude image (x, y, z), arbitrary units.
        spacing: Voxel size, mm.
        spectrum: Of the same image, if it is at hand.
    """
    spectrum = power_spectrum(data) if spectrum is None else spectrum
    steps = tuple(max(1, round(side / COARSE_SIDE)) for side in data.shape)
    square = data * data
    cells = _cells(square, steps)
    flat = _cells(_without_waves(square), steps).clamp_min(0) if _has_spike(spectrum) else cells
    pedestal = 1.3 * torch.quantile(flat.flatten(), 0.1)
    inside = head_mask((flat - pedestal).clamp_min(0).sqrt())
    if not inside.any():
        inside = torch.ones_like(inside)
    mask = _fine(inside, data.shape, steps)
    scale = head_scale(data, mask)
    size = [side * step for side, step in zip(spacing, steps, strict=True)]
    distance = scipy.ndimage.distance_transform_edt(~inside.cpu().numpy(), sampling=size)
    return HeadCells(
        inside,
        torch.from_numpy(np.asarray(distance, np.float32)).to(data.device),
        cells / scale**2,
        _cells((square / scale**2).square(), steps),
        steps,
        scale,
        mask,
    )


def _has_spike(spectrum: PowerSpectrum) -> bool:
    outside = spectrum.radius >= 0.08
    return bool((spectrum.above[outside] > SPIKE).any())


def _without_waves(square: Image3) -> Image3:
    beats = power_spectrum(square)
    kept = (beats.above <= WAVE) | (beats.radius < 0.02)
    calm: Image3 = torch.fft.irfftn(torch.fft.rfftn(square) * kept, s=list(square.shape))
    return calm


def _cells(image: Image3, steps: Sequence[int]) -> Tensor:
    return F.avg_pool3d(image[None, None], list(steps), list(steps), ceil_mode=True)[0, 0]


def _fine(cells: Tensor, shape: Sequence[int], steps: Sequence[int]) -> Mask3:
    for axis, step in enumerate(steps):
        index = torch.arange(shape[axis], device=cells.device) // step
        cells = cells.index_select(axis, index.clamp_max(cells.shape[axis] - 1))
    return cells
