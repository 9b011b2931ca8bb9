"""A whole scan from patches, as SIQT's code puts it together, or without seams."""

import itertools
from typing import Literal

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional as F

from isocenter.data.shapes import Image3
from isocenter.nets.siqt_published import SiqtPublished
from isocenter.ops.tiles import blend, tiling

__all__ = ["Tiles", "enhanced"]

Tiles = Literal["published", "blended"]
Thin = Float32[Tensor, "x y fine"]
SIDE, CROP, MARGIN = 32, 16, 8
"""Of a patch of thin slices, of the middle that is kept of it, and what lies around the middle."""
AT_ONCE = 8
LARGEST = 2.0**22
"""Thin voxels of a blended tile."""


@torch.no_grad()
def enhanced(net: SiqtPublished, low: Image3, tiles: Tiles) -> Thin:
    """Thin slices of a whole scan.

    Args:
        net: In evaluation mode.
        low: Thick slices on the scale of low field.
        tiles: ``published``: the scan is bordered with half a patch of zeros, and the middles of
            patches lie side by side.  (The published code leaves up to 7 last voxels of an axis at
            0; here they are made.)  ``blended``: tiles as large as memory allows that overlap.
    """
    if tiles == "published":
        return _side_by_side(net, low)
    ratio = net.config.ratio
    within, _, across = net.config.multiples
    plan = tiling(
        (low.shape[0], low.shape[1], low.shape[2]),
        ratio=ratio,
        multiples=(within, within, across),
        halo=(CROP, CROP, CROP // ratio),
        most=LARGEST,
    )
    return blend(lambda tile: _said(net, tile[None])[0], low, plan, n_channels=1).values[0]


def _side_by_side(net: SiqtPublished, low: Image3) -> Thin:
    ratio = net.config.ratio
    x, y, z = low.shape[0], low.shape[1], ratio * low.shape[2]
    counts = [-(-(side - MARGIN) // CROP) + 1 if side > MARGIN else 1 for side in (x, y, z)]
    sides = [CROP * count + CROP for count in counts]  # of the bordered scan
    after = [whole - side - CROP for whole, side in zip(sides, (x, y, z), strict=True)]
    border = (CROP // ratio, after[2] // ratio, CROP, after[1], CROP, after[0])
    bordered = F.pad(low, border)
    made = low.new_zeros([CROP * count for count in counts])
    places = list(itertools.product(*map(range, counts)))
    for first in range(0, len(places), AT_ONCE):
        some = places[first : first + AT_ONCE]
        patches = torch.stack([_patch(bordered, place, ratio) for place in some])
        inner = slice(MARGIN, MARGIN + CROP)
        for place, said in zip(some, _said(net, patches), strict=True):
            where = tuple(slice(CROP * i, CROP * (i + 1)) for i in place)
            made[where] = said[0, inner, inner, inner]
    return made[MARGIN : MARGIN + x, MARGIN : MARGIN + y, MARGIN : MARGIN + z].contiguous()


def _patch(bordered: Image3, place: tuple[int, ...], ratio: int) -> Float32[Tensor, "a b c"]:
    x, y, z = (CROP * i for i in place)
    return bordered[x : x + SIDE, y : y + SIDE, z // ratio : (z + SIDE) // ratio]


def _said(net: SiqtPublished, patches: Tensor) -> Tensor:
    """(n, x, y, z) to (n, 1, x, y, ratio * z), on the CPU."""
    device = next(net.parameters()).device
    said: Tensor = net(patches[:, None].to(device))
    return said.float().cpu()
