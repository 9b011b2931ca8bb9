"""GRAPPA: what was not measured, from measured neighbours in all coils.

Two kinds of pattern, one slice at a time: whole columns, whose kernels span rows and the nearest
columns; and single places, each with the nearest places of a window.  A kernel belongs to a local
pattern of what was measured; equal patterns share one.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Complex, Int
from torch import Tensor

from isocenter.ops.autocalibration import solve_kernels, window_products, windows

__all__ = ["fill_columns", "fill_places"]

AT_ONCE = 1024
"""Kernels solved together: a few hundred MB."""

Plane = Complex[Tensor, "coil y x"]
Block = Complex[Tensor, "coil rows columns"]


def fill_columns(
    kspace: Plane,
    measured: Bool[Tensor, " x"],
    block: Block,
    *,
    n_rows: int,
    n_columns: int,
    weight: float,
) -> tuple[Plane, int]:
    """Fill columns from the nearest measured ones, as many on the left as on the right.

    Griswold et al., Magn. Reson. Med. 47(6), 2002, doi:10.1002/mrm.10171.

    Args:
        kspace: 0 where not measured.
        measured: Columns that were.
        block: Calibration data.
        n_rows: Rows of a kernel, odd.
        n_columns: Measured columns that a kernel stands on; fewer where fewer are in reach.
        weight: As of :func:`~isocenter.ops.autocalibration.solve_kernels`.

    Returns:
        K-space, and how many columns had no measured one within the width of the block.
    """
    filled, half, unfilled = kspace.clone(), n_rows // 2, 0
    padded = torch.nn.functional.pad(kspace, (0, 0, half, half))
    rows = torch.arange(kspace.shape[1], device=kspace.device)
    for offsets, columns in _column_patterns(measured, block.shape[2], n_columns).items():
        if not offsets:
            unfilled += len(columns)
            continue
        kernel = _column_kernel(block, n_rows, offsets, weight).to(kspace.dtype)
        places = torch.tensor(columns, device=kspace.device)
        values = torch.zeros_like(kspace[:, :, places])
        for row in range(n_rows):
            for which, offset in enumerate(offsets):
                seen = padded[:, rows + row][:, :, places + offset]
                values += torch.einsum("cyx,ct->tyx", seen, kernel[:, row, which])
        filled[:, :, places] = values
    return filled, unfilled


def fill_places(
    kspace: Plane,
    mask: Bool[Tensor, "y x"],
    block: Block,
    *,
    window: int,
    n_places: int,
    weight: float,
) -> tuple[Plane, int]:
    """Fill single places from the nearest measured ones of a window around each.

    Args:
        kspace: 0 where not measured.
        mask: True where measured; any pattern.
        block: Calibration data, at least as large as the window.
        window: Side of the window, odd.
        n_places: Measured places that a kernel stands on; fewer where the window holds fewer.
        weight: As of :func:`~isocenter.ops.autocalibration.solve_kernels`.

    Returns:
        K-space, and how many places had no measured one in their window; they stay 0.
    """
    products = window_products(block, window, window)
    order, chosen, missing = _place_patterns(mask, window, n_places)
    patterns, which = chosen.unique(dim=0, return_inverse=True)
    counts = patterns.sum(1)
    padded = torch.nn.functional.pad(kspace, (window // 2,) * 4).flatten(1)
    corner = missing[:, 0] * (mask.shape[1] + window - 1) + missing[:, 1]
    filled = kspace.clone()
    for count, some in _by_count(counts):
        seen = order[patterns[some].nonzero()[:, 1].view(-1, count)]
        kernels = _place_kernels(products, seen, len(kspace), window**2, weight)
        places, kernel = _places_of(which, some, len(patterns))
        steps = seen // window * (mask.shape[1] + window - 1) + seen % window
        values = padded[:, corner[places, None] + steps[kernel]]
        target = torch.einsum("cpk,pckt->tp", values, kernels.to(kspace.dtype)[kernel])
        filled[:, missing[places, 0], missing[places, 1]] = target
    return filled, int((counts == 0)[which].sum())


def _column_patterns(
    measured: Bool[Tensor, " x"], reach: int, n_columns: int
) -> dict[tuple[int, ...], list[int]]:
    """Offsets of the sources, and the missing columns that have those."""
    known, patterns = measured.nonzero().flatten().tolist(), dict[tuple[int, ...], list[int]]()
    for column in (~measured).nonzero().flatten().tolist():
        left = [place - column for place in known if place < column][-(n_columns // 2) :]
        right = [place - column for place in known if place > column][: n_columns - n_columns // 2]
        offsets = _within(left + right, reach)
        patterns.setdefault(tuple(offsets), []).append(column)
    return patterns


def _within(offsets: list[int], reach: int) -> list[int]:
    """The offsets less the farthest ones, so that a window of ``reach`` columns holds the rest."""
    while offsets and max(*offsets, 0) - min(*offsets, 0) >= reach:
        offsets = sorted(set(offsets) - {max(offsets, key=abs)})
    return offsets


def _column_kernel(
    block: Block, n_rows: int, offsets: tuple[int, ...], weight: float
) -> Complex[Tensor, "coil row column target"]:
    first, last = min(*offsets, 0), max(*offsets, 0)
    seen = windows(block, n_rows, last - first + 1).to(torch.complex128)
    sources = seen[..., [offset - first for offset in offsets]]
    targets = seen[:, :, n_rows // 2, -first]
    flat = sources.flatten(1)
    kernel = solve_kernels(flat.mH @ flat, flat.mH @ targets, weight)
    return kernel.view(*sources.shape[1:], -1)


def _place_patterns(
    mask: Bool[Tensor, "y x"], window: int, n_places: int
) -> tuple[Int[Tensor, " place"], Bool[Tensor, "missing place"], Int[Tensor, "missing 2"]]:
    """Places of a window from near to far; which of them serve each missing place; those."""
    axis = torch.arange(window, device=mask.device) - window // 2
    order = (axis[:, None].square() + axis.square()).flatten().argsort(stable=True)
    missing = (~mask).nonzero()
    views = torch.nn.functional.pad(mask, (window // 2,) * 4).unfold(0, window, 1)
    around = views.unfold(1, window, 1)[missing[:, 0], missing[:, 1]].flatten(1)[:, order]
    return order, around & (around.cumsum(1) <= n_places), missing


def _by_count(counts: Int[Tensor, " pattern"]) -> Iterator[tuple[int, Int[Tensor, " some"]]]:
    """Patterns with equally many sources, in parts of a bearable size."""
    for count in counts.unique().tolist():
        if count:
            for some in (counts == count).nonzero().flatten().split(AT_ONCE):
                yield count, some


def _place_kernels(
    products: Complex[Tensor, "v v"],
    seen: Int[Tensor, "pattern source"],
    n_coils: int,
    area: int,
    weight: float,
) -> Complex[Tensor, "pattern coil source target"]:
    coils = torch.arange(n_coils, device=seen.device) * area
    sources = (coils[:, None] + seen[:, None, :]).flatten(1)
    targets = (coils + area // 2).expand(len(seen), -1)
    kernels = solve_kernels(
        products[sources[:, :, None], sources[:, None, :]],
        products[sources[:, :, None], targets[:, None, :]],
        weight,
    )
    return kernels.view(len(seen), n_coils, -1, n_coils)


def _places_of(
    which: Int[Tensor, " missing"], some: Int[Tensor, " some"], n_patterns: int
) -> tuple[Int[Tensor, " place"], Int[Tensor, " place"]]:
    """Missing places that have one of some patterns, and which of those each has."""
    rank = torch.full((n_patterns,), -1, device=which.device)
    rank[some] = torch.arange(len(some), device=which.device)
    places = (rank[which] >= 0).nonzero().flatten()
    return places, rank[which[places]]
