"""NMSE: error energy over the energy of the reference, as fastMRI defines it."""

from torch import Tensor

from isocenter.metrics._pairs import check, mean

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "nmse",
]

BETTER, RANGE, UNIT = "lower", (0.0, float("inf")), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 1, (1, 2, 3), True
SOURCE = "doi:10.48550/arXiv.1811.08839"
VALIDATED = "The square of scikit-image's Euclidean NRMSE, to 1e-10."


def nmse(image: Tensor, reference: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """||image - reference||^2 / ||reference||^2 over one whole image or volume.

    Zbontar et al., fastMRI, 2018, doi:10.48550/arXiv.1811.08839.  A volume has one value; the mean
    of its slices' values is another number.

    Args:
        image: (N, C, *spatial).
        reference: Same shape and units.
        mask: Where to compare, broadcastable to the image; everywhere without it.

    Returns:
        (N,), >= 0; 0 for equal images.  A reference of zeros gives infinity, or NaN where the
        image is zero too.

    Raises:
        UsageError: Shapes differ.
    """
    check("NMSE", image, reference, spatial=SPATIAL)
    return mean((image - reference) ** 2, mask) / mean(reference**2, mask)
