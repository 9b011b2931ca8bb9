"""What thick slices can have measured of an image, and what they cannot."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from isocenter.data.shapes import Image3
from isocenter.ops.filters import gaussian_blur
from isocenter.ops.thick_slices import ThickSlices
from isocenter.ops.windows import multiply_along

__all__ = ["detail_energies", "smoothest"]

LEVEL = 1e-6
"""Weight of an image's own energy beside that of its bends, so that the smoothest is one alone."""


def smoothest(matrix: Float64[Tensor, "thick thin"]) -> Float64[Tensor, "thin thin"]:
    """The projection ``P = A+ A`` to the image with the least bends that has the same thick slices.

    ``A P = A`` and ``P P = P``, so that ``x - P x`` is in the null space of A.  The generalised
    inverse is the weighted one of least roughness (second differences),
    ``W^-1 A' (A W^-1 A')^-1`` (Li, arXiv:2408.09412, reviews it): that of least norm would take
    the ripple that it needs for an even image for something that was not measured.

    Args:
        matrix: A, from the thin slices of a line to the thick ones; independent rows.
    """
    n_thin = matrix.shape[1]
    bends = torch.eye(n_thin, dtype=matrix.dtype).diff(dim=0).diff(dim=0)
    roughness = bends.T @ bends + LEVEL * torch.eye(n_thin, dtype=matrix.dtype)
    reached = torch.linalg.solve(roughness, matrix.T)
    projection: Tensor = reached @ torch.linalg.solve(matrix @ reached, matrix)
    return projection


def detail_energies(
    image: Image3, linear: ThickSlices, *, axis: int, width: float
) -> tuple[Float[Tensor, "x y z"], Float[Tensor, "x y z"]]:
    """Squares of the detail that thick slices can have measured, and of that which they cannot.

    The image is the smoothest one with its thick slices, and the rest, of which these show nothing
    (:func:`smoothest`).  Detail is what a Gaussian across slices takes away of either.

    Args:
        image: Thin slices.
        linear: From them to the thick ones; it blurs nothing within slices.
        axis: Across slices.
        width: Standard deviation of the Gaussian, thin slices.
    """
    matrix = linear.matrices[axis]
    projection = torch.eye(image.shape[axis]) if matrix is None else smoothest(matrix)
    measured = multiply_along(image, projection.T, axis)
    widths = [width if one == axis else 0.0 for one in range(3)]
    seen, unseen = (part - gaussian_blur(part, widths) for part in (measured, image - measured))
    return seen.square(), unseen.square()
