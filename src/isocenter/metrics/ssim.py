"""SSIM: structural similarity of an image to its reference, in 2-D and 3-D."""

from functools import partial

import torch
from torch import Tensor

from isocenter.metrics._pairs import by_chunks, check, mean
from isocenter.ops.similarity import similarity_means
from isocenter.ops.windows import Edges, compiles, gaussian, slide

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "components",
    "means",
    "ssim",
    "ssim_map",
]

BETTER, RANGE, UNIT = "higher", (-1.0, 1.0), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 11, (2, 3), True
SOURCE = "doi:10.1109/TIP.2003.819861"
VALIDATED = "scikit-image with Gaussian weights, in 2-D and 3-D, to 1e-10."

WIDTH, SIGMA = 11, 1.5
"""3.5 sigma on either side, as in the published MATLAB code and in scikit-image."""
K1, K2 = 0.01, 0.03


def ssim(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """Mean structural similarity.

    Wang et al., IEEE TIP 13(4), 2004, doi:10.1109/TIP.2003.819861, equation 13, with the
    Gaussian window of 11 pixels along every spatial axis.

    Args:
        image: (N, C, *spatial), two or three spatial axes of at least 11 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Where to average, broadcastable to (N, C, *spatial); without it, everywhere
            that the window fits inside the image.

    Returns:
        (N,), from -1 to 1; 1 for equal images, constant ones too; NaN where the mask is empty.

    Raises:
        UsageError: Shapes differ, or a spatial axis is shorter than the window.
    """
    if mask is not None:
        return mean(ssim_map(image, reference, data_range=data_range), mask)
    _check(image, reference, data_range)
    formula = partial(_inner_mean, data_range=data_range)
    # The compiled pass makes nothing as large as an image, and needs no chunks.
    passes_once = compiles(image, reference)
    return formula(image, reference) if passes_once else by_chunks(formula, image, reference)


def _inner_mean(image: Tensor, reference: Tensor, data_range: float) -> Tensor:
    return means(image, reference, data_range=data_range)[0].mean(1)


def ssim_map(image: Tensor, reference: Tensor, *, data_range: float) -> Tensor:
    """Structural similarity at every pixel; edges are reflected.  Arguments as :func:`ssim`."""
    _check(image, reference, data_range)
    luminance, structure = components(image, reference, data_range=data_range, edges="mirror")
    return luminance * structure


def _check(image: Tensor, reference: Tensor, data_range: float) -> None:
    check(
        "SSIM",
        image,
        reference,
        minimum_side=MINIMUM_SIDE,
        spatial=SPATIAL,
        data_range=data_range,
    )


def means(image: Tensor, reference: Tensor, *, data_range: float) -> tuple[Tensor, Tensor]:
    """Means of the similarity and of its second factor where the window fits, (N, C) each."""
    if compiles(image, reference):
        return similarity_means(image, reference, gaussian(WIDTH, SIGMA), _steady(data_range))
    luminance, structure = components(image, reference, data_range=data_range, edges="valid")
    return (luminance * structure).flatten(2).mean(2), structure.flatten(2).mean(2)


def components(
    image: Tensor, reference: Tensor, *, data_range: float, edges: Edges
) -> tuple[Tensor, Tensor]:
    """The two factors of the similarity: of means, and of variances with their covariance."""
    moments = torch.cat([image, reference, image**2 + reference**2, image * reference], dim=1)
    x, y, energy, product = slide(moments, gaussian(WIDTH, SIGMA), edges=edges).chunk(4, dim=1)
    c1, c2 = _steady(data_range)
    means, both = x * x + y * y, 2 * x * y
    luminance = (both + c1) / (means + c1)
    structure = (2 * product - both + c2) / (energy - means + c2)
    return luminance, structure


def _steady(data_range: float) -> tuple[float, float]:
    return (K1 * data_range) ** 2, (K2 * data_range) ** 2
