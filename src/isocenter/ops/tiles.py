"""Tiles: a volume in pieces that overlap, worked on one by one and blended without a seam.

A tile is a core and a halo.  Where two tiles overlap, the outer three eighths of either are
dropped and the middle quarter goes smoothly from one to the other, so that what a network makes of
a tile's border is never seen.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from isocenter.errors import ResourceError

__all__ = ["Blended", "Cuts", "Tiling", "blend", "cuts", "tiling"]

RAMP = 0.25
"""Of an overlap: where one tile goes over into the next."""
TINY = 1e-30
Network = Callable[[Float[Tensor, "x y z"]], Float[Tensor, "channel x y fine"]]


@dataclass(frozen=True)
class Cuts:
    """Pieces of equal length along one axis; the last may reach beyond the end."""

    side: int
    """Of the volume."""
    length: int
    """Of a piece."""
    starts: tuple[int, ...]
    """First voxels, each a multiple of what the length is one of."""

    def weights(self, scale: int = 1) -> Float[Tensor, "piece place"]:
        """What each piece counts at each of ``side * scale`` places; they sum to 1.

        Args:
            scale: Places for a voxel.
        """
        place = torch.arange(self.side * scale, dtype=torch.float64) + 0.5
        ends = [start + self.length for start in self.starts]
        overlaps = [(b, a) for a, b in zip(ends[:-1], self.starts[1:], strict=True)]
        ramp = RAMP * scale * min((end - start for start, end in overlaps), default=1)
        rises = [torch.ones_like(place)]
        for start, end in overlaps:
            middle = scale * (start + end) / 2
            way = ((place - middle) / ramp + 0.5).clamp(0, 1)
            rises.append(0.5 - 0.5 * torch.cos(math.pi * way))
        rises.append(torch.zeros_like(place))
        return torch.stack([a - b for a, b in itertools.pairwise(rises)]).float()


@dataclass(frozen=True)
class Tiling:
    """Tiles of a volume whose last axis becomes ``ratio`` times as long."""

    axes: tuple[Cuts, Cuts, Cuts]
    ratio: int

    @property
    def sides(self) -> tuple[int, int, int]:
        """Of a tile, before it becomes longer."""
        x, y, z = (one.length for one in self.axes)
        return x, y, z

    @property
    def n_tiles(self) -> int:
        """How many."""
        return math.prod(len(one.starts) for one in self.axes)

    @property
    def n_fine(self) -> int:
        """Voxels that a tile becomes."""
        return math.prod(self.sides) * self.ratio

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """The number of a tile along each axis."""
        x, y, z = (range(len(one.starts)) for one in self.axes)
        return itertools.product(x, y, z)


@dataclass(frozen=True, eq=False)
class Blended:
    """A volume put together from tiles."""

    values: Float[Tensor, "channel x y fine"]
    n_blank: int
    """Tiles that were passed over, since they hold nothing but zeros."""


def tiling(
    shape: tuple[int, int, int],
    *,
    ratio: int,
    multiples: tuple[int, int, int],
    halo: tuple[int, int, int],
    most: float,
) -> Tiling:
    """The tiles that a network has to work on least, none larger than memory allows.

    Args:
        shape: Of the volume.
        ratio: By which its last axis becomes longer.
        multiples: What a tile's sides have to be multiples of.
        halo: Voxels around a core, along each axis, where there is a neighbour.
        most: Voxels that a tile may become.

    Raises:
        ResourceError: The smallest tile becomes more than that.
    """
    choices = [
        cuts(side, multiple=multiple, halo=around)
        for side, multiple, around in zip(shape, multiples, halo, strict=True)
    ]
    found = [Tiling((x, y, z), ratio) for x, y, z in itertools.product(*choices)]
    fitting = [one for one in found if one.n_fine <= most]
    if not fitting:
        least = min(one.n_fine for one in found)
        raise ResourceError(
            f"the smallest tile has {least} voxels and memory is enough for {max(0, int(most))}: "
            "allow more memory, or close other programs"
        )
    return min(fitting, key=lambda one: (one.n_tiles * one.n_fine, one.n_tiles))


def cuts(side: int, *, multiple: int, halo: int) -> list[Cuts]:
    """Every way to cut an axis into one, two, three ... pieces, each as short as it can be."""
    whole, overlap = -(-side // multiple), -(-2 * halo // multiple)
    found: list[Cuts] = []
    for n in range(1, whole + 1):
        length = -(-(whole + (n - 1) * overlap) // n)
        if n > 1 and length <= overlap:
            break
        if found and length * multiple == found[-1].length:
            continue  # more of them would be no shorter
        starts = tuple(index * (whole - length) // max(n - 1, 1) * multiple for index in range(n))
        found.append(Cuts(side, length * multiple, starts))
    return found


def blend(
    network: Network,
    volume: Float[Tensor, "x y z"],
    tiles: Tiling,
    *,
    n_channels: int,
    progress: Callable[[int, int], None] | None = None,
) -> Blended:
    """What a network makes of every tile, put together.

    Every voxel is the mean of its tiles' values under weights that sum to 1.  Variances may be
    blended like this (an upper bound, since tiles go together), standard deviations may not.
    Beyond the volume's end its border goes on.

    Args:
        network: From a tile (x, y, z) to (n_channels, x, y, ratio * z).
        volume: What the tiles are cut from.
        tiles: Of this volume's shape.
        n_channels: That the network makes.
        progress: Told how many tiles are done, of how many.
    """
    weights = [
        one.weights(scale) for one, scale in zip(tiles.axes, (1, 1, tiles.ratio), strict=True)
    ]
    x, y, z = (len(one[0]) for one in weights)
    values = volume.new_zeros(n_channels, x, y, z)
    counted = volume.new_zeros(x, y, z)
    n_blank = 0
    for n_done, tile in enumerate(tiles, start=1):
        inside = _inside(volume, tiles, tile)
        fine = _fine(tiles, tile)
        parts = [
            one[i, where].to(volume) for one, i, where in zip(weights, tile, fine, strict=True)
        ]
        share = parts[0][:, None, None] * parts[1][:, None] * parts[2]
        counted[fine] += share
        share /= counted[fine].clamp_min(TINY)
        if bool(inside.any()):
            cut = tuple(slice(0, where.stop - where.start) for where in fine)
            # A running mean: where two tiles agree, their mean is what both say, to the last bit.
            there = values[:, *fine]
            there.lerp_(network(inside)[:, *cut].to(there), share)
        else:
            values[:, *fine] *= 1 - share
            n_blank += 1
        if progress is not None:
            progress(n_done, tiles.n_tiles)
    return Blended(values, n_blank)


def _inside(
    volume: Float[Tensor, "x y z"], tiles: Tiling, tile: tuple[int, int, int]
) -> Float[Tensor, "a b c"]:
    for axis, (one, number) in enumerate(zip(tiles.axes, tile, strict=True)):
        start = one.starts[number]
        if start + one.length <= one.side:
            volume = volume.narrow(axis, start, one.length)
        else:
            index = torch.arange(start, start + one.length, device=volume.device)
            volume = volume.index_select(axis, index.clamp_max(one.side - 1))
    return volume


def _fine(tiles: Tiling, tile: tuple[int, int, int]) -> tuple[slice, slice, slice]:
    """Where a tile lies in what is made."""
    places = []
    for one, number, scale in zip(tiles.axes, tile, (1, 1, tiles.ratio), strict=True):
        start = one.starts[number]
        places.append(slice(start * scale, min(start + one.length, one.side) * scale))
    return places[0], places[1], places[2]
