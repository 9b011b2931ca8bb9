"""HFEN: high-frequency error norm of an image against its reference, in 2-D and 3-D."""

import torch
from torch import Tensor

from isocenter.metrics._pairs import check, mean, ratio, root
from isocenter.ops.windows import box, gaussian, slide, slide_along

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "hfen",
]

BETTER, RANGE, UNIT = "lower", (0.0, float("inf")), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 15, (2, 3), True
SOURCE = "doi:10.1109/TMI.2010.2090538"
VALIDATED = "The paper's filter, dense, through scipy in 2-D and 3-D, to 1e-10."

WIDTH, SIGMA = 15, 1.5
NAN = float("nan")


def hfen(image: Tensor, reference: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """||LoG(image - reference)|| / ||LoG(reference)||, LoG the Laplacian of a Gaussian.

    Ravishankar and Bresler, IEEE TMI 30(5), 2011, doi:10.1109/TMI.2010.2090538, with their
    filter of 15 pixels and a sigma of 1.5 pixels.  Sources differ in what they divide by:
    that paper by nothing, many later ones by the norm of the filtered reference.  Here it is
    the second, so that size and units of the image do not matter; published numbers of the
    first kind do not compare.

    Args:
        image: (N, C, *spatial), two or three spatial axes of at least 15 pixels.
        reference: Same shape and units.
        mask: Where to compare, broadcastable to the image; everywhere without it.

    Returns:
        (N,), >= 0; 0 for equal images; NaN where the reference has no edges, as a constant.

    Raises:
        UsageError: Shapes differ, or a spatial axis is too short.
    """
    check("HFEN", image, reference, minimum_side=MINIMUM_SIDE, spatial=SPATIAL)
    wrong = mean(_edges(image - reference) ** 2, mask)
    there = mean(_edges(reference) ** 2, mask)
    rounding = (10 * torch.finfo(reference.dtype).eps) ** 2 * mean(reference**2, mask)
    return ratio(root(wrong), torch.where(there > rounding, there, 0).sqrt(), otherwise=NAN)


def _edges(image: Tensor) -> Tensor:
    """Laplacian of Gaussian: along every axis in turn the second derivative, else the Gaussian."""
    smooth, curve = gaussian(WIDTH, SIGMA), _curve()
    total = torch.zeros_like(image)
    for curved in range(2, image.ndim):
        part = image
        for axis in range(2, image.ndim):
            part = slide_along(part, curve if axis == curved else smooth, axis, edges="repeat")
        total = total + part
    # The cut filter does not quite sum to 0; with its mean taken off, flat gives nothing.
    excess = float(curve.sum()) * (image.ndim - 2)
    return total - excess * slide(image, box(WIDTH), edges="repeat")


def _curve() -> Tensor:
    """Second derivative of the Gaussian, sampled."""
    at = torch.arange(WIDTH, dtype=torch.float64) - WIDTH // 2
    return (at**2 / SIGMA**2 - 1) / SIGMA**2 * gaussian(WIDTH, SIGMA)
