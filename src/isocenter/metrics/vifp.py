"""VIFp: visual information fidelity in the pixel domain, in 2-D and 3-D."""

from functools import partial

import torch
from torch import Tensor

from isocenter.metrics._pairs import by_chunks, check, ratio, refuse_mask
from isocenter.ops.similarity import information_ratios
from isocenter.ops.windows import compiles, gaussian, slide

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "IDENTICAL",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "vifp",
]

BETTER, RANGE, UNIT = "higher", (0.0, float("inf")), None
IDENTICAL = 1.0
"""More contrast than the reference has gives more than 1."""
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 41, (2, 3), True
SOURCE = "doi:10.1109/TIP.2005.859378"
VALIDATED = "piq, sewar and torchmetrics in 2-D, to 1e-8; 3-D is not validated."

WIDTHS = (17, 9, 5, 3)
"""Windows of the scales, finest first; a fifth of each is its Gaussian's sigma."""
NOISE = 2.0
"""Variance of the eye's own noise, for images from 0 to 255."""
FLAT = 1e-10
"""A variance below this is none."""


def vifp(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """Information about the reference that the image still carries, over what there was.

    Sheikh and Bovik, IEEE TIP 15(2), 2006, doi:10.1109/TIP.2005.859378, in the authors' later
    form: a Gaussian pyramid of four scales instead of wavelet bands.  It is not symmetric: image
    and reference cannot be exchanged.

    Args:
        image: (N, C, *spatial), two or three spatial axes of at least 41 pixels.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: None; another is refused.

    Returns:
        (N,), >= 0; 1 for equal images; NaN where the reference is constant and so holds no
        information.

    Raises:
        UsageError: Shapes differ, a spatial axis is too short, or there is a mask.
    """
    check(
        "VIFp",
        image,
        reference,
        minimum_side=MINIMUM_SIDE,
        spatial=SPATIAL,
        data_range=data_range,
    )
    refuse_mask("VIFp", mask)
    return by_chunks(partial(_vifp, scale=255 / data_range), image, reference)


def _vifp(image: Tensor, reference: Tensor, scale: float) -> Tensor:
    # A common shift changes no variance, and squares of what is near zero keep their digits.
    centre = reference.flatten(1).mean(1).reshape(-1, *[1] * (image.ndim - 1))
    own, true = (scale * (each - centre) for each in (image, reference))
    kept = there = own.new_zeros(len(image))
    for level, width in enumerate(WIDTHS):
        window = gaussian(width, width / 5)
        if level > 0:
            own, true = (slide(each, window, step=2) for each in (own, true))
        more_kept, more_there = _information(own, true, window)
        kept, there = kept + more_kept, there + more_there
    return ratio(kept, there, otherwise=float("nan")).to(image.dtype)


def _information(image: Tensor, reference: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
    """Information of one scale, up to a common factor: kept by the image, held by the reference.

    Each window of the image is modelled as ``gain * reference + noise of variance spoiled``.
    """
    ratios = information_ratios if compiles(image, reference) else _ratios
    kept, there = ratios(image, reference, window, flat=FLAT, noise=NOISE)
    return kept.log1p().flatten(1).sum(1), there.log1p().flatten(1).sum(1)


def _ratios(
    image: Tensor, reference: Tensor, window: Tensor, *, flat: float, noise: float
) -> tuple[Tensor, Tensor]:
    """:func:`information_ratios` in tensors, which gradients take."""
    moments = torch.cat([image, reference, image**2, reference**2, image * reference], dim=1)
    x, y, xx, yy, xy = slide(moments, window).chunk(5, dim=1)
    own, true, common = (xx - x * x).relu(), (yy - y * y).relu(), xy - x * y
    true = torch.where(true < flat, 0, true)
    gain = ratio(common, true, otherwise=0).relu()
    gain = torch.where(own < flat, 0, gain)
    spoiled = torch.where(gain > 0, own - gain * common, own).clamp(min=flat)
    return gain**2 * true / (spoiled + noise), true / noise
