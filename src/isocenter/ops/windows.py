"""Windows that slide over an image: separable filters along its spatial axes.

On a processor a compiled loop sums neighbours.  For gradients and on other devices an axis is one
product with a small matrix, to the same values but for rounding.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from isocenter.ops._kernels_windows import slide_across, slide_within
from isocenter.ops._threads import in_threads

__all__ = [
    "Edges",
    "box",
    "compiles",
    "gaussian",
    "multiply_along",
    "operator",
    "slide",
    "slide_along",
]

Edges = Literal["valid", "mirror", "repeat", "zero"]
"""What stands beyond the border: ``valid`` keeps only places where the window fits; ``mirror``
reflects about the last pixel (c b | a b c), ``repeat`` about the border (b a | a b c); ``zero``
is dark."""
COMPILED = (torch.float32, torch.float64)
SHORT = 64
"""Rows up to this long are faster as a product with a matrix."""
THREADED = 1 << 16
"""Values from which on a second thread is worth waking."""


def gaussian(width: int, sigma: float) -> Tensor:
    """Sampled Gaussian of sum 1.

    Args:
        width: Number of taps.
        sigma: Standard deviation in pixels, > 0.

    Returns:
        (width,), float64.
    """
    at = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
    taps = torch.exp(-(at**2) / (2 * sigma**2))
    return taps / taps.sum()


def box(width: int) -> Tensor:
    """The mean of ``width`` pixels: (width,), float64."""
    return torch.full((width,), 1 / width, dtype=torch.float64)


def slide(stack: Tensor, taps: Tensor, *, edges: Edges = "valid", step: int = 1) -> Tensor:
    """Correlate with the same taps along every spatial axis.

    Args:
        stack: (N, C, *spatial), any real type.
        taps: (width,); an even window reaches one pixel further forward than back.
        edges: What stands beyond the border.
        step: Keep every ``step``-th place, the first included.

    Returns:
        (N, C, *smaller), type and device of ``stack``.
    """
    for axis in range(2, stack.ndim):
        stack = slide_along(stack, taps, axis, edges=edges, step=step)
    return stack


def slide_along(
    stack: Tensor, taps: Tensor, axis: int, *, edges: Edges = "valid", step: int = 1
) -> Tensor:
    """:func:`slide` along one axis alone."""
    side, width = stack.shape[axis], len(taps)
    outer, inner = stack.shape[:axis], stack.shape[axis + 1 :]
    blocks, row = math.prod(outer), math.prod(inner)
    if not compiles(stack) or (row if inner else side) <= SHORT:
        return multiply_along(stack, operator(side, taps, edges=edges, step=step), axis)
    seen = _seen(side, width, edges)
    n_places = len(seen.unfold(0, width, step))
    out = stack.new_empty(*outer, n_places, *inner)
    kernel = slide_within if row == 1 else slide_across
    source, target = (
        each.reshape(blocks, -1, row).squeeze(2).numpy() for each in (stack.contiguous(), out)
    )
    numbers = taps.to(stack).numpy(), seen.numpy(), step
    n_rows = blocks if row == 1 else blocks * n_places

    def work(start: int, stop: int) -> None:
        kernel(source, *numbers, target, start, stop)

    if out.numel() < THREADED:
        work(0, n_rows)
    else:
        in_threads(work, n_rows)
    return out


def compiles(*stacks: Tensor) -> bool:
    """Whether compiled loops take them: on the processor, of one known type, without a gradient."""
    return all(
        stack.device.type == "cpu"
        and stack.dtype in COMPILED
        and stack.dtype == stacks[0].dtype
        and not stack.requires_grad
        for stack in stacks
    )


def multiply_along(stack: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """Every row along ``axis`` times ``matrix`` (side, places), in the type of ``stack``."""
    return (stack.movedim(axis, -1) @ matrix.to(stack)).movedim(-1, axis)


def operator(side: int, taps: Tensor, *, edges: Edges = "valid", step: int = 1) -> Tensor:
    """The filter of one axis as a matrix (side, places), float64: a row times it is filtered."""
    seen = _seen(side, len(taps), edges).unfold(0, len(taps), step)
    matrix = torch.zeros(len(seen), side, dtype=torch.float64)
    return matrix.scatter_add_(1, seen.clamp_min(0), taps * (seen >= 0)).T


def _seen(side: int, width: int, edges: Edges) -> Tensor:
    """The pixel at each place that windows reach, from the first one's start; -1 if it is dark."""
    if edges == "valid":
        return torch.arange(side)
    reached = torch.arange(side + width - 1) - (width - 1) // 2
    if edges == "mirror":
        period = max(2 * side - 2, 1)
        return (side - 1) - ((reached.abs() % period) - (side - 1)).abs()
    if edges == "repeat":
        folded = reached % (2 * side)
        return torch.minimum(folded, 2 * side - 1 - folded)
    return torch.where((reached >= 0) & (reached < side), reached, -1)
