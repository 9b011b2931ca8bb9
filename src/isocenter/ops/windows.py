"""Windows that slide over an image: separable filters along its spatial axes.

An axis is one product with a small matrix, which is faster than a convolution on a processor
and has a gradient on every device.
"""

from typing import Literal

import torch
from torch import Tensor

__all__ = ["Edges", "box", "gaussian", "multiply_along", "operator", "slide", "slide_along"]

Edges = Literal["valid", "mirror", "repeat", "zero"]
"""What stands beyond the border: ``valid`` keeps only places where the window fits; ``mirror``
reflects about the last pixel (c b | a b c), ``repeat`` about the border (b a | a b c); ``zero``
is dark."""


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
    return multiply_along(stack, operator(stack.shape[axis], taps, edges=edges, step=step), axis)


def multiply_along(stack: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """Every row along ``axis`` times ``matrix`` (side, places), in the type of ``stack``."""
    return (stack.movedim(axis, -1) @ matrix.to(stack)).movedim(-1, axis)


def operator(side: int, taps: Tensor, *, edges: Edges = "valid", step: int = 1) -> Tensor:
    """The filter of one axis as a matrix (side, places), float64: a row times it is filtered."""
    width = len(taps)
    before = 0 if edges == "valid" else (width - 1) // 2
    last = side - width + 1 if edges == "valid" else side
    reached = torch.arange(0, last, step)[:, None] + torch.arange(width) - before
    weights = taps.expand(reached.shape)
    if edges == "zero":
        weights = weights * ((reached >= 0) & (reached < side))
    matrix = torch.zeros(len(reached), side, dtype=torch.float64)
    return matrix.scatter_add_(1, _inside(reached, side, edges), weights).T


def _inside(reached: Tensor, side: int, edges: Edges) -> Tensor:
    """The pixel that is seen at every reached place."""
    if edges == "mirror":
        period = max(2 * side - 2, 1)
        return (side - 1) - ((reached.abs() % period) - (side - 1)).abs()
    if edges == "repeat":
        folded = reached % (2 * side)
        return torch.minimum(folded, 2 * side - 1 - folded)
    return reached.clamp(0, side - 1)
