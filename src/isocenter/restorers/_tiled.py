"""A network of thick slices over a whole scan, within memory."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from isocenter.data.shapes import Image3
from isocenter.errors import ResourceError
from isocenter.ops.tiles import Blended, Tiling, blend, tiling
from isocenter.restorers._thick_net import ThickNet

__all__ = ["Tiled", "tiled"]

RESERVED = 0.45e9
"""Bytes of the program itself, with its libraries and a network."""
KEPT = 40
"""Bytes for each thin voxel of the scan: ten volumes."""


@dataclass(frozen=True, eq=False)
class Tiled:
    """Thin slices, and how they were cut."""

    values: Float[Tensor, "channel x y fine"]
    """Mean and variance, brightness units."""
    tiles: Tiling
    n_blank: int
    """Tiles of zeros, which are passed over."""
    notes: tuple[str, ...]
    """Sentences."""


def tiled(
    net: ThickNet,
    data: Image3,
    *,
    members: int,
    max_memory: float,
    progress: Callable[[int, int], None] | None = None,
) -> Tiled:
    """Run the network tile by tile, on smaller ones where memory does not suffice.

    Args:
        net: What to run.
        data: Thick slices along the last axis (thin ones for a network that takes those),
            1 = the brightness of the head.
        members: How many are asked.
        max_memory: Gigabytes.
        progress: Told how many tiles are done, of how many.

    Raises:
        ResourceError: Even the smallest tiles need more.
    """
    ratio = 1 if net.takes_thin else net.ratio
    n_fine = data.numel() * ratio
    most = (max_memory * 1e9 - RESERVED - KEPT * n_fine) / net.bytes_per_voxel
    notes: list[str] = []
    while True:
        tiles = _planned(net, data, ratio, most, max_memory, bool(notes))
        try:
            made = blend(
                lambda tile: net(tile, members),
                data,
                tiles,
                n_channels=net.n_channels,
                progress=progress,
            )
            return _tiled(made, tiles, notes)
        except (RuntimeError, MemoryError) as error:
            if not _is_of_memory(error):
                raise
            size = " x ".join(map(str, tiles.sides))
            notes.append(f"out of memory with tiles of {size} voxels: smaller ones were taken")
            most = tiles.n_fine / 2


def _planned(
    net: ThickNet, data: Image3, ratio: int, most: float, max_memory: float, ran_out: bool
) -> Tiling:
    x, y, z = data.shape
    try:
        return tiling(
            (x, y, z), ratio=ratio, multiples=net.multiples, halo=net.halo, most=max(most, 0)
        )
    except ResourceError:
        if ran_out:
            raise ResourceError(
                "out of memory even with the smallest tiles: close other programs, or take "
                "fewer --members"
            ) from None
        raise ResourceError(
            f"--max-memory is {max_memory:g} GB, too little for the smallest tile of this scan: "
            "give more"
        ) from None


def _tiled(made: Blended, tiles: Tiling, notes: list[str]) -> Tiled:
    return Tiled(made.values, tiles, made.n_blank, tuple(notes))


def _is_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error).lower()
    return "alloc" in said or "out of memory" in said or "not enough memory" in said
