"""From a scan to the inputs of HyS-Net: cubes on a grid or at random, or axial slices."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from isocenter.data.preprocess import Patches
from isocenter.data.shapes import Image3, Mask3
from isocenter.ops.regions import head_mask

__all__ = ["Cubes", "grid", "looked_at", "random_cubes", "rescaled", "starts_along", "take"]

LARGE = 1 << 20
"""Voxels from which a percentile is taken on every second voxel along each axis."""

Starts = Int[Tensor, "_ 3"]


class Cubes(NamedTuple):
    """What the network looks at, and where it is."""

    values: Float[Tensor, "n 1 ..."]
    """Brightness from 0 to 1."""
    starts: Starts
    """First voxel of each; of a slice, that of the whole plane."""


def rescaled(data: Image3, preprocess: Patches) -> Image3:
    """Brightness in (0, 1], by one factor and without offset.

    Args:
        data: Magnitude image (x, y, z), arbitrary units; negative values become the floor.
        preprocess: The numbers.
    """
    largest = float(data.max())
    if preprocess.mode == "robust":
        thin = data[::2, ::2, ::2] if data.numel() > LARGE else data
        rank = max(1, round(preprocess.percentile / 100 * thin.numel()))
        largest = float(thin.flatten().kthvalue(rank).values) or largest
    bright: Image3 = (data / (largest if largest > 0 else 1.0)).clamp(0, 1)
    return bright.clamp_min(preprocess.floor)


def starts_along(length: int, side: int, stride: int) -> tuple[int, ...]:
    """First voxels of the cubes along one axis: 0, stride, ..., and flush with the end.

    Args:
        length: Voxels of the axis.
        side: Of a cube; a shorter axis has one cube, which hangs over its end.
        stride: From cube to cube.
    """
    last = max(0, length - side)
    return (*range(0, last, stride), last)


def grid(shape: tuple[int, ...], preprocess: Patches) -> Starts:
    """First voxels (n, 3) of all cubes of a scan, the last axis fastest."""
    axes = [
        torch.tensor(starts_along(length, preprocess.side, preprocess.stride)) for length in shape
    ]
    return torch.cartesian_prod(*axes)


def take(data: Shaped[Tensor, "x y z"], starts: Starts, side: int) -> Tensor:
    """Cubes (n, 1, side, side, side) at ``starts``; 0 beyond the scan."""
    missing = [max(0, side - length) for length in data.shape]
    if any(missing):
        data = F.pad(data, [n for axis in reversed(missing) for n in (0, axis)])
    cubes = [data[x : x + side, y : y + side, z : z + side] for x, y, z in starts.tolist()]
    return torch.stack(cubes)[:, None]


def random_cubes(
    shape: tuple[int, ...], side: int, n: int, *, rng: torch.Generator, mask: Mask3 | None = None
) -> Starts:
    """First voxels (n, 3) of cubes at random places.

    Args:
        shape: Of the scan.
        side: Of a cube.
        n: How many.
        rng: Draws the places.
        mask: Where the centres lie, as far as the cubes stay inside the scan; anywhere when it
            is not given or is empty.
    """
    room = torch.tensor([max(0, length - side) for length in shape])
    if mask is None or not bool(mask.any()):
        return (torch.rand((n, 3), generator=rng) * (room + 1)).long().minimum(room)
    inside = mask.nonzero()
    centres = inside[torch.randint(len(inside), (n,), generator=rng)]
    return (centres - side // 2).clamp_min(0).minimum(room)


def looked_at(
    data: Image3,
    preprocess: Patches,
    *,
    most: int | None = None,
    head: Mask3 | None = None,
) -> Cubes:
    """What the network looks at in a whole scan.

    Args:
        data: Magnitude image (x, y, z) in RAS+, arbitrary units.
        preprocess: The numbers.
        most: Evenly chosen, so many at most; all when not given.
        head: Where the head is, in ``robust``; found here when not given.
    """
    bright = rescaled(data, preprocess)
    if preprocess.n_dims == 2:
        return _slices(bright, preprocess, most)
    starts = grid(data.shape, preprocess)
    if preprocess.mode == "robust":
        mask = head_mask(data) if head is None else head
        starts = _with_foreground(starts, mask, preprocess)
    starts = starts[_evenly(len(starts), most)]
    return Cubes(take(bright, starts, preprocess.side), starts)


def _with_foreground(starts: Starts, mask: Mask3, preprocess: Patches) -> Starts:
    """Starts of the cubes that show enough of the head; all when none does."""
    inside = take(mask, starts, preprocess.side).flatten(1).count_nonzero(1).cpu()
    enough = starts[inside >= preprocess.least_foreground * preprocess.side**3]
    return enough if len(enough) else starts


def _slices(bright: Image3, preprocess: Patches, most: int | None) -> Cubes:
    """The middle axial slices on a square of zeros."""
    n_slices = bright.shape[2]
    first = round(n_slices * (1 - preprocess.slice_share) / 2)
    places = torch.arange(first, max(first + 1, n_slices - first))
    places = places[_evenly(len(places), most)]
    planes = bright[:, :, places].permute(2, 0, 1)
    starts = torch.stack([torch.zeros_like(places), torch.zeros_like(places), places], dim=1)
    return Cubes(_squared(planes, preprocess.slice_side)[:, None], starts)


def _squared(planes: Tensor, side: int) -> Tensor:
    """Planes (n, H, W) in the middle of a square of ``side`` pixels."""
    borders = []
    for length in reversed(planes.shape[1:]):
        before = (side - length) // 2
        borders += [before, side - length - before]
    return F.pad(planes, borders)


def _evenly(n: int, most: int | None) -> Int[Tensor, " kept"]:
    """Indices of at most ``most`` of ``n`` things, spread evenly."""
    if most is None or n <= most:
        return torch.arange(n)
    return ((torch.arange(most) + 0.5) * n / most).long()
