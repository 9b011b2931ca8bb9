"""MSE: mean square error of an image against its reference."""

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
    "mse",
]

BETTER, RANGE, UNIT = "lower", (0.0, float("inf")), "a.u.²"
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 1, (1, 2, 3), True
SOURCE = "doi:10.1109/MSP.2008.930649"
VALIDATED = "scikit-image in 2-D and 3-D, to 1e-10."


def mse(image: Tensor, reference: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """Mean of the squared differences.

    Wang and Bovik, IEEE Signal Processing Magazine 26(1), 2009, doi:10.1109/MSP.2008.930649,
    equation 1.  Its square root is the RMSE.

    Args:
        image: (N, C, *spatial).
        reference: Same shape and units.
        mask: Where to compare, broadcastable to the image; everywhere without it.

    Returns:
        (N,), squared units of the image; 0 for equal images; NaN where the mask is empty.

    Raises:
        UsageError: Shapes differ.
    """
    check("MSE", image, reference, spatial=SPATIAL)
    return mean((image - reference) ** 2, mask)
