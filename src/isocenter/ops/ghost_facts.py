"""Which k-space lines are weaker than the others, and by how much: ghosts, taken apart.

A ghost is x - s P x, where P keeps every n-th line but for the centre.  Outside the head only
s |P x| is seen, and inside, x - s Re(P x): for each n and each first line the head predicts the
ghost in the air, and the best prediction tells s.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from isocenter.data.shapes import Image3
from isocenter.ops.head_cells import HeadCells

__all__ = ["comb", "ghost_facts"]

EVERY = range(2, 9)
"""Periods that are looked for, lines."""
KEPT = (0.02, 0.05)
"""Share of the lines around the centre that may have been left alone."""
NEAREST = 4.0
"""mm from the head from which a cell is air."""
N_ROWS = 400
"""Rows of the image that are compared, of those that cross the head."""
STARTS = (0.5, 1.1, 1.7)
LARGEST = 2.2
"""Largest share that is looked for."""
N_ROUNDS = 3
N_STEPS = 4
"""Of conjugate gradients in each round."""
N_REFINED = 3
GOOD = 0.97
"""Explained share of the air's signal from which no other start is tried."""
FEWEST_LINES = 24


class Comb(NamedTuple):
    """Lines ``first``, ``first + every``, ... but for ``kept`` lines around the centre."""

    every: int
    first: int
    kept: int


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of an image along one axis that cross the head."""

    values: Tensor
    """(rows, n_lines), in units of the head's brightness."""
    inside: Tensor
    """1 in the head, else 0."""
    air: Tensor
    """Values in the air, 0 elsewhere."""
    outside: Tensor
    """1 in the air, else 0."""
    energy: float
    """Of the air."""


class Explained(NamedTuple):
    """How well a comb explains the air; sorts by that."""

    part: float
    """Share of the air's energy that the prediction explains."""
    comb: Comb
    axis: int


class Share(NamedTuple):
    """How much of the lines is missing; sorts by how well that explains air and head."""

    good: float
    share: float
    comb: Comb
    n_lines: int
    misfit: float
    """Of the head, as a share of its energy."""


def ghost_facts(data: Image3, cells: HeadCells) -> dict[str, float]:
    """The comb that explains the air best, and the amplitude missing from its lines.

    ``ghost share`` is what the preset ``physical`` of ghosting draws; ``ghost good`` says how
    far it may be believed (1: air and head are explained, about 0.5 for noise).

    Args:
        data: Magnitude image (x, y, z).
        cells: Of the same image.
    """
    outside = cells.fine(cells.distance > NEAREST)
    found: list[tuple[Explained, Rows]] = []
    facts = {}
    for axis in range(3):
        tried: list[Explained] = []
        if data.shape[axis] >= FEWEST_LINES:
            rows = _rows(data, cells, outside, axis)
            tried = sorted(_search(rows, axis), reverse=True)
            found += [(explained, rows) for explained in tried[:2]]
        facts[f"comb {axis}"] = tried[0].part if tried else 0.0
        facts[f"comb {axis} alone"] = _alone(tried)
    if not found:
        return {**facts, **dict.fromkeys(_NAMES, 0.0)}
    found.sort(key=lambda pair: pair[0], reverse=True)
    best = _refined(found[:N_REFINED])
    facts["ghost good"], facts["ghost share"], facts["ghost misfit"] = (
        best.good,
        best.share,
        best.misfit,
    )
    facts["ghost every"], facts["ghost kept"] = (
        float(best.comb.every),
        best.comb.kept / best.n_lines,
    )
    return facts


_NAMES = ("ghost good", "ghost share", "ghost misfit", "ghost every", "ghost kept")


def comb(n_lines: int, lines: Comb) -> Tensor:
    """1 on the chosen lines, zero frequency first."""
    weights = torch.zeros(n_lines)
    weights[lines.first :: lines.every] = 1
    start = n_lines // 2 - lines.kept // 2
    weights[start : start + lines.kept] = 0
    centred: Tensor = torch.fft.ifftshift(weights)
    return centred


def _rows(data: Image3, cells: HeadCells, outside: Tensor, axis: int) -> Rows:
    step = max(1, round(math.sqrt(data.numel() / data.shape[axis] / N_ROWS)))

    def thin(image: Tensor) -> Tensor:
        moved = image.movedim(axis, -1)[::step, ::step]
        rows: Tensor = moved.reshape(-1, data.shape[axis])
        return rows

    inside = thin(cells.mask)
    crossing = inside.any(1)
    values = thin(data)[crossing] / cells.scale
    beyond = thin(outside)[crossing].float()
    air = values * beyond
    energy = float(air.square().sum()) + 1e-12
    return Rows(values, inside[crossing].float(), air, beyond, energy)


def _search(rows: Rows, axis: int) -> list[Explained]:
    n_lines = rows.values.shape[1]
    spectrum = torch.fft.fft(rows.values * rows.inside)
    tried = []
    for lines in _combs(n_lines):
        ghost = torch.fft.ifft(spectrum * comb(n_lines, lines)).abs() * rows.outside
        tried.append(Explained(_fit(rows, ghost)[1], lines, axis))
    return tried


def _combs(n_lines: int) -> list[Comb]:
    """All that differ: of mirrored ones, which leave the same magnitude, the first."""
    combs = []
    for every in EVERY:
        for first in range(every):
            if (2 * (n_lines // 2) - first) % every >= first:
                combs += _kept(n_lines, every, first)
    return combs


def _kept(n_lines: int, every: int, first: int) -> list[Comb]:
    """One comb for each set of central lines that may have been left alone."""
    sets: dict[tuple[int, ...], Comb] = {}
    for kept in range(max(1, round(KEPT[0] * n_lines)), round(KEPT[1] * n_lines) + 1):
        start = n_lines // 2 - kept // 2
        left = tuple(i for i in range(start, start + kept) if i % every == first)
        sets.setdefault(left, Comb(every, first, kept))
    return list(sets.values())


def _fit(rows: Rows, ghost: Tensor) -> tuple[float, float]:
    """Factor of a predicted ghost, and the share of the air's energy that it then explains."""
    product, square = float((rows.air * ghost).sum()), float(ghost.square().sum()) + 1e-12
    return product / square, product**2 / square / rows.energy


def _alone(tried: list[Explained]) -> float:
    """By how much the best comb beats those of other periods."""
    others = [e.part for e in tried if e.comb.every != tried[0].comb.every]
    return tried[0].part - max(others) if others else 0.0


def _refined(found: list[tuple[Explained, Rows]]) -> Share:
    tried: list[Share] = []
    for explained, rows in found:
        for start in STARTS:
            tried.append(_settled(rows, explained.comb, start))
            if tried[-1].good > GOOD:
                return tried[-1]
    return max(tried)


def _settled(rows: Rows, lines: Comb, start: float) -> Share:
    """Solve for the head without ghost, then for the share, in turn."""
    n_lines = rows.values.shape[1]
    weights = comb(n_lines, lines)
    # The real part of the ghost: each line takes half of what its mirror image loses.
    even = ((weights + weights.roll(-1).flip(0)) / 2)[: n_lines // 2 + 1]
    head = rows.values * rows.inside
    clean, share, part = head, start, 0.0
    for _ in range(N_ROUNDS):
        clean = _without_ghost(head, rows.inside, even, share, clean)
        ghost = torch.fft.ifft(torch.fft.fft(clean) * weights).abs() * rows.outside
        share, part = _fit(rows, ghost)
        share = min(share, LARGEST)
    again = _with_ghost(clean, rows.inside, even, share)
    misfit = float((again - head).square().sum()) / (float(head.square().sum()) + 1e-12)
    return Share(part - misfit, share, lines, n_lines, misfit)


def _with_ghost(head: Tensor, inside: Tensor, even: Tensor, share: float) -> Tensor:
    ghost = torch.fft.irfft(torch.fft.rfft(head) * even, n=head.shape[1])
    worse: Tensor = (head - share * ghost) * inside
    return worse


def _without_ghost(
    head: Tensor, inside: Tensor, even: Tensor, share: float, start: Tensor
) -> Tensor:
    """Least squares by conjugate gradients on the normal equations; the operator is symmetric."""
    left = head - _with_ghost(start, inside, even, share)
    slope = _with_ghost(left, inside, even, share)
    direction, size = slope, slope.square().sum()
    for _ in range(N_STEPS):
        change = _with_ghost(direction, inside, even, share)
        length = size / (change.square().sum() + 1e-20)
        start, left = start + length * direction, left - length * change
        slope = _with_ghost(left, inside, even, share)
        new = slope.square().sum()
        direction, size = slope + new / (size + 1e-20) * direction, new
    return start
