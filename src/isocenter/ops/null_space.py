"""What thick slices can have measured of an image, and what they cannot."""

import torch
from jaxtyping import Float
from torch import Tensor

from isocenter.data.shapes import Image3
from isocenter.ops.filters import gaussian_blur
from isocenter.ops.thick_slices import ThickSlices

__all__ = ["detail_energies", "row_space"]


def row_space(linear: ThickSlices) -> ThickSlices:
    """The orthogonal projection ``A+ A`` onto all that ``A`` can tell apart.

    ``x`` and ``A+ A x`` have the same thick slices; ``x - A+ A x`` has none at all.

    Args:
        linear: ``A``, a matrix for each axis.
    """
    projections = [
        None if matrix is None else torch.linalg.pinv(matrix) @ matrix for matrix in linear.matrices
    ]
    return ThickSlices(tuple(projections))


def detail_energies(
    image: Image3, linear: ThickSlices, *, axis: int, width: float
) -> tuple[Float[Tensor, "x y z"], Float[Tensor, "x y z"]]:
    """Squares of the detail that thick slices can have measured, and of that which they cannot.

    Detail is what a Gaussian across slices takes away; it is linear, so that the image's detail is
    the sum of both.

    Args:
        image: Thin slices.
        linear: From them to the thick ones.
        axis: Across slices.
        width: Standard deviation of the Gaussian, thin slices.
    """
    measured = row_space(linear)(image)
    widths = [width if one == axis else 0.0 for one in range(3)]
    seen, unseen = (part - gaussian_blur(part, widths) for part in (measured, image - measured))
    return seen.square(), unseen.square()
