"""GMSD: gradient magnitude similarity deviation, in 2-D and 3-D."""

import torch
from torch import Tensor

from isocenter.metrics._pairs import check, mean, root
from isocenter.ops.windows import box, slide, slide_along

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "gmsd",
    "gradient_deviation",
]

BETTER, RANGE, UNIT = "lower", (0.0, 1.0), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 6, (2, 3), True
SOURCE = "doi:10.1109/TIP.2013.2293423"
VALIDATED = "piq in 2-D, to 1e-10; 3-D is the same formula, not validated."

CONSTANT = 170 / 255**2
"""Of squared gradients of images whose range is 1."""


def gmsd(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """Standard deviation of the similarity of gradient magnitudes.

    Xue et al., IEEE TIP 23(2), 2014, doi:10.1109/TIP.2013.2293423, equations 4 and 6, with the
    Prewitt filter, on the mean of 2 pixels along every axis.  Beyond the border it is dark, as
    in the published code.  In 3-D the filter is a difference along one axis and a mean of 3
    along both others.

    Args:
        image: (N, C, *spatial), two or three spatial axes of at least 6 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: Where to compare, broadcastable to the image; everywhere without it.

    Returns:
        (N,), from 0 to 1, mostly below 0.35; 0 for equal images, constant ones too; NaN where
        the mask is empty.

    Raises:
        UsageError: Shapes differ, or a spatial axis is too short.
    """
    check(
        "GMSD",
        image,
        reference,
        minimum_side=MINIMUM_SIDE,
        spatial=SPATIAL,
        data_range=data_range,
    )
    weight = None if mask is None else halved(mask.expand(image.shape).to(image.dtype))
    pair = (halved(each / data_range) for each in (image, reference))
    return gradient_deviation(*pair, constant=CONSTANT, weight=weight)


def halved(image: Tensor) -> Tensor:
    """Mean of 2 pixels along every axis; an odd axis ends half in the dark."""
    return slide(image, box(2), edges="zero", step=2)


def gradient_deviation(
    image: Tensor,
    reference: Tensor,
    *,
    constant: float,
    masking: float = 0.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Standard deviation over the image of how unlike the gradient magnitudes are.

    One minus the similarity is computed, which deviates as much and is exactly 0 for equal
    images.

    Args:
        image: (N, C, *spatial).
        reference: Same shape and units.
        constant: Steadies the quotient where both are flat; squared units of the image.
        masking: Share of the product taken off, which makes strong edges count less.
        weight: Weights of the pixels.
    """
    own, true = _gradient(image), _gradient(reference)
    unlike = (own - true) ** 2 / (own**2 + true**2 - masking * own * true + constant)
    centre = mean(unlike, weight).reshape(-1, *[1] * (unlike.ndim - 1))
    return root(mean((unlike - centre) ** 2, weight))


def _gradient(image: Tensor) -> Tensor:
    """Magnitude of the Prewitt gradient, of as many axes as there are."""
    difference = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    energy = torch.zeros_like(image)
    for along in range(2, image.ndim):
        part = image
        for axis in range(2, image.ndim):
            taps = difference if axis == along else box(3)
            part = slide_along(part, taps, axis, edges="zero")
        energy = energy + part**2
    return root(energy)
