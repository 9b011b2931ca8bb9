r"""Orthogonal wavelets of Daubechies on a plane without borders.

One level keeps, of every row and column, :math:`a_k = \sum_t h_t x_{2k+2-L+t}` and
:math:`d_k = \sum_t g_t x_{2k+2-L+t}` with :math:`g_t = (-1)^t h_{L-1-t}`, indices running around
the edge; the next level does the same to what is coarse in both.  Planes that cannot be halved
often enough get zeros behind their last row and column, so decomposing is an isometry at any
size: recomposing is its inverse and its adjoint.

Daubechies, Comm. Pure Appl. Math. 41(7), 1988, doi:10.1002/cpa.3160410705.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from isocenter.errors import UnknownName
from isocenter.ops._threads import in_threads

__all__ = ["FILTERS", "decompose", "levels_for", "recompose", "shrink_wavelets"]

Numbers = npt.NDArray[np.floating]

FILTERS: dict[str, tuple[float, ...]] = {
    "haar": (math.sqrt(0.5), math.sqrt(0.5)),
    "db2": tuple(
        numerator / (4 * math.sqrt(2))
        for numerator in (
            1 + math.sqrt(3),
            3 + math.sqrt(3),
            3 - math.sqrt(3),
            1 - math.sqrt(3),
        )
    ),
    "db4": (
        0.23037781330885523,
        0.71484657055254153,
        0.63088076792959036,
        -0.02798376941698385,
        -0.18703481171888114,
        0.03084138183598697,
        0.03288301166698295,
        -0.01059740178499728,
    ),
}
"""Low-pass taps; ``dbN`` has N vanishing moments and 2 N taps."""

COARSEST = 16
"""Shorter sides are not halved further: little is left to be sparse."""


def levels_for(shape: Sequence[int]) -> int:
    """How often the shorter side is halved until it has 16 places or fewer; at least once."""
    return max(1, math.ceil(math.log2(min(shape) / COARSEST)))


def decompose(
    images: Complex[Tensor, "*batch y x"], *, wavelet: str = "db4", levels: int
) -> Complex[Tensor, "*batch rows columns"]:
    """Coefficients of every plane: coarse ones in the corner, finer ones around them.

    Args:
        images: Real and imaginary part are transformed alike.
        wavelet: A name of :data:`FILTERS`.
        levels: How often a plane is halved, at least 1.

    Returns:
        Sides rounded up to multiples of ``2^levels``; the sum of squares is that of the images.

    Raises:
        UnknownName: No such wavelet.
    """
    planes = _padded(images, levels)
    low, high = _filters(wavelet)
    if _is_compiled(planes):
        from isocenter.ops import _kernels_daubechies

        arrays = _floats(planes)
        taps = low.astype(np.float32), high.astype(np.float32)
        work = np.empty_like(arrays)
        _share(_kernels_daubechies.decompose, arrays, *taps, levels, work)
        return planes
    for level in range(levels):
        block = (..., slice(planes.shape[-2] >> level), slice(planes.shape[-1] >> level))
        planes[block] = _split(_split(planes[block], low, high, -2), low, high, -1)
    return planes


def recompose(
    coefficients: Complex[Tensor, "*batch rows columns"],
    shape: Sequence[int],
    *,
    wavelet: str = "db4",
    levels: int,
) -> Complex[Tensor, "*batch y x"]:
    """Planes of ``shape`` from their coefficients: inverse and adjoint of :func:`decompose`.

    Raises:
        UnknownName: No such wavelet.
    """
    planes = coefficients.clone(memory_format=torch.contiguous_format)
    low, high = _filters(wavelet)
    if _is_compiled(planes):
        from isocenter.ops import _kernels_daubechies

        arrays, taps = _floats(planes), _joining(low, high)
        _share(_kernels_daubechies.recompose, arrays, taps, levels, np.empty_like(arrays))
    else:
        for level in range(levels - 1, -1, -1):
            block = (..., slice(planes.shape[-2] >> level), slice(planes.shape[-1] >> level))
            planes[block] = _join(_join(planes[block], low, high, -1), low, high, -2)
    return planes[..., : shape[0], : shape[1]]


def shrink_wavelets(
    images: Complex[Tensor, "slice y x"],
    thresholds: Float[Tensor, " slice"],
    shift: tuple[int, int],
    *,
    wavelet: str = "db4",
    levels: int,
) -> Complex[Tensor, "slice y x"]:
    r"""Proximal map of :math:`t \|W x\|_1`: pull every coefficient towards 0 by a threshold.

    Args:
        images: Complex; the magnitude of a coefficient shrinks and its phase stays.
        thresholds: One for each slice, in units of the images.
        shift: Rows and columns by which planes are turned before, and back afterwards, so that
            no place always meets the wavelets' joints.
        wavelet: A name of :data:`FILTERS`.
        levels: How often a plane is halved.

    Raises:
        UnknownName: No such wavelet.
    """
    turned = images.roll(shift, (-2, -1))
    planes = decompose(turned, wavelet=wavelet, levels=levels)
    if _is_compiled(planes):
        from isocenter.ops import _kernels_daubechies

        _share(_kernels_daubechies.shrink, _floats(planes), thresholds.float().cpu().numpy())
    else:
        size = planes.abs()
        kept = (size - thresholds[:, None, None]).clamp(min=0)
        planes = planes * (kept / size.clamp(min=torch.finfo(size.dtype).tiny))
    small = recompose(planes, images.shape[-2:], wavelet=wavelet, levels=levels)
    return small.roll((-shift[0], -shift[1]), (-2, -1))


def _filters(wavelet: str) -> tuple[Numbers, Numbers]:
    if wavelet not in FILTERS:
        raise UnknownName("wavelet", wavelet, FILTERS)
    low = np.array(FILTERS[wavelet])
    return low, low[::-1] * np.resize([1.0, -1.0], low.size)


def _joining(low: Numbers, high: Numbers) -> Numbers:
    """Taps of low and high bands for even places, then for odd ones, turned."""
    taps = [taps[parity::2][::-1] for parity in (0, 1) for taps in (low, high)]
    return np.array(taps, np.float32)


def _padded(images: Tensor, levels: int) -> Tensor:
    """A copy with zeros behind the last row and column."""
    unit = 2**levels
    rows, columns = (-(-side // unit) * unit for side in images.shape[-2:])
    planes = images.new_zeros(*images.shape[:-2], rows, columns)
    planes[..., : images.shape[-2], : images.shape[-1]] = images
    return planes


def _is_compiled(planes: Tensor) -> bool:
    return planes.device.type == "cpu" and planes.dtype == torch.complex64


def _floats(planes: Tensor) -> Numbers:
    """The same memory as planes (n, height, 2 width)."""
    flat = torch.view_as_real(planes.reshape(-1, *planes.shape[-2:])).flatten(-2)
    array: Numbers = flat.numpy()
    return array


def _share(kernel: Callable[..., None], planes: Numbers, *others: object) -> None:
    in_threads(lambda start, stop: kernel(planes, *others, start, stop), len(planes))


def _split(planes: Tensor, low: Numbers, high: Numbers, axis: int) -> Tensor:
    """Coarse half, then fine half, along an axis."""
    even = torch.arange(0, planes.shape[axis], 2, device=planes.device)
    halves = []
    for taps in (low, high):
        moved = (tap * planes.roll(len(taps) - 2 - place, axis) for place, tap in enumerate(taps))
        halves.append(sum(moved, torch.zeros_like(planes)).index_select(axis, even))
    return torch.cat(halves, axis)


def _join(bands: Tensor, low: Numbers, high: Numbers, axis: int) -> Tensor:
    half = bands.shape[axis] // 2
    joined = torch.zeros_like(bands)
    even = torch.arange(0, bands.shape[axis], 2, device=bands.device)
    for band, taps in zip(bands.split(half, axis), (low, high), strict=True):
        spread = torch.zeros_like(bands).index_copy(axis, even, band)
        for place, tap in enumerate(taps):
            joined += tap * spread.roll(place + 2 - len(taps), axis)
    return joined
