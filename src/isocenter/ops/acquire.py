"""Acquisition while the object changes: each k-space line sees one state of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Complex128, Float, Float64
from torch import Tensor

from isocenter.data.shapes import Image3
from isocenter.ops._memory import empty
from isocenter.ops.fourier import ROWS, apply_along

__all__ = ["State", "acquire", "real_fourier_basis"]

BLOCK_VOXELS = 1 << 22
"""States are made and acquired in blocks of about this size: small enough that states never
pile up, large enough that threads seldom wait for each other on a busy machine."""

FEW_STATES = 2
"""Up to this many, a whole matrix per state is less work than coefficients in a common basis."""

Analysis = tuple[int, list[Tensor]]
"""First row, and the rows that give the real (and the imaginary) coefficients."""
Block = Callable[[int, slice], Image3]


@dataclass(frozen=True, eq=False)
class State:
    """The object during some of the lines."""

    block: Block
    """Gives the part of the image within a slice of an axis."""
    weights: Complex128[Tensor, " lines"]
    """What each line, centred, takes of this state; 0 for lines of other states."""


def acquire(
    states: Sequence[State], shape: tuple[int, int, int], axis: int, *, magnitude: bool
) -> Image3:
    """Image whose k-space lines along ``axis`` were filled from several states.

    ``sum_s F^H diag(weights_s) F x_s``: the lines lie along one axis, so a state is a small
    matrix there. Each state gives only the coefficients that its lines need, in a real
    Fourier basis; one matrix turns the coefficients of all states into the image.

    Args:
        states: What fills the lines.
        shape: Size of every state (x, y, z).
        axis: Phase-encode axis.
        magnitude: The absolute value of the complex image, else its real part.
    """
    across = 1 if axis == 0 else 0
    thickness = max(1, BLOCK_VOXELS * shape[across] // (shape[0] * shape[1] * shape[2]))
    device = states[0].block(across, slice(0, 1)).device
    few = len(states) <= FEW_STATES
    basis = torch.eye(shape[axis]).double() if few else real_fourier_basis(shape[axis])
    analyses = [_analysis(state.weights, basis, magnitude, device) for state in states]
    synthesis = None if few else basis.to(device, torch.float32)
    result = empty(shape, device)
    for start in range(0, shape[across], thickness):
        part = slice(start, min(start + thickness, shape[across]))
        target = result.narrow(across, start, part.stop - start)
        in_place = few and not magnitude and target.is_contiguous()
        totals = [
            (target if in_place else empty(target.shape, device)).zero_()
            for _ in range(2 if magnitude else 1)
        ]
        _add_coefficients(totals, states, analyses, across, part, axis)
        if synthesis is not None:
            totals = [apply_along(synthesis, total, axis) for total in totals]
        if magnitude:
            torch.hypot(*totals, out=target)
        elif not in_place:
            target.copy_(totals[0])
    return result


def _add_coefficients(
    totals: Sequence[Tensor],
    states: Sequence[State],
    analyses: Sequence[Analysis],
    across: int,
    part: slice,
    axis: int,
) -> None:
    """Add to ``totals`` what all lines of a block measured."""
    for state, (first, matrices) in zip(states, analyses, strict=True):
        if matrices[0].numel() == 0:
            continue
        block = state.block(across, part)
        for total, matrix in zip(totals, matrices, strict=True):
            _add_along(matrix, block, axis, total, first)


def real_fourier_basis(n: int) -> Float64[Tensor, "n n"]:
    """Orthonormal columns: the mean, then a cosine and a sine of every frequency."""
    turns = 2 * torch.pi / n * torch.arange(n, dtype=torch.float64)
    columns = [torch.ones(n, dtype=torch.float64)]
    for frequency in range(1, n // 2 + 1):
        columns.append(torch.cos(frequency * turns))
        if 2 * frequency != n:
            columns.append(torch.sin(frequency * turns))
    return torch.stack([column / column.norm() for column in columns], dim=1)


def _analysis(
    weights: Complex128[Tensor, " n"],
    basis: Float64[Tensor, "n n"],
    magnitude: bool,
    device: torch.device,
) -> Analysis:
    """The basis' coefficients of ``F^H diag(weights) F x``: first row, real (and imaginary).

    A run of lines needs a run of rows, since the basis is sorted by frequency.
    """
    lines = torch.fft.ifftshift(weights)[:, None]
    matrix = torch.fft.fft(lines * torch.fft.ifft(basis, dim=0), dim=0).T
    needed = (matrix.abs().amax(1) > 1e-9).nonzero().flatten().tolist()
    rows = slice(needed[0], needed[-1] + 1) if needed else slice(0, 0)
    parts = (matrix.real, matrix.imag) if magnitude else (matrix.real,)
    return rows.start, [part[rows].to(device, torch.float32).contiguous() for part in parts]


def _add_along(
    matrix: Float[Tensor, "rows n"],
    block: Float[Tensor, "x y z"],
    axis: int,
    total: Float[Tensor, "x y z"],
    first: int,
) -> None:
    """Add ``matrix @ block`` along ``axis`` to rows ``first, first + 1, ...`` of ``total``."""
    target = total.narrow(axis, first, len(matrix))
    n = block.shape[axis]
    if axis == 0:
        target.view(len(matrix), -1).addmm_(matrix, block.view(n, -1))
    elif axis == 1:
        target.baddbmm_(matrix.expand(len(block), -1, -1), block)
    else:
        flat = total.view(-1, n)[:, first : first + len(matrix)]
        for part, rows in zip(flat.split(ROWS), block.view(-1, n).split(ROWS), strict=True):
            part.addmm_(rows, matrix.T)
