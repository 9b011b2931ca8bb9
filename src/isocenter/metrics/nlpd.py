"""NLPD: normalised Laplacian pyramid distance, in 2-D."""

import torch
import torch.nn.functional
from torch import Tensor

from isocenter.metrics._pairs import check, refuse_mask, root
from isocenter.ops.windows import slide, slide_along

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "nlpd",
]

BETTER, RANGE, UNIT = "lower", (0.0, float("inf")), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 32, (2,), True
SOURCE = "doi:10.2352/ISSN.2470-1173.2016.16.HVEI-103"
VALIDATED = "Not validated against the original."

TAPS = torch.tensor([0.05, 0.25, 0.4, 0.25, 0.05], dtype=torch.float64)
FLOORS = (0.0248, 0.0185, 0.0179, 0.0191, 0.0220, 0.2782)
"""What is added to the neighbours' amplitude, finest level first, for images from 0 to 1."""
NEIGHBOURS: tuple[dict[tuple[int, int], float], ...] = (
    {(-1, 0): 0.1015, (1, 0): 0.1011, (0, -1): 0.1460, (0, 1): 0.1493, (0, -2): 0.0072},
    {(-1, 0): 0.0837, (1, 0): 0.0757, (0, -1): 0.1846, (0, 1): 0.1986},
    {(-1, 0): 0.0467, (1, 0): 0.0477, (0, -1): 0.2243, (0, 1): 0.2138},
    {(0, -1): 0.2616, (0, 1): 0.2503},
    {(0, -1): 0.2552, (0, 1): 0.2598},
    {(0, -1): 0.0717, (0, 1): 0.2215},
)
"""Weights of the neighbours' amplitudes by offset along rows and columns, finest level first;
the authors fitted them to natural images."""


def nlpd(
    image: Tensor, reference: Tensor, *, data_range: float, mask: Tensor | None = None
) -> Tensor:
    """Distance of the bands of a Laplacian pyramid after each is divided by its surroundings.

    Laparra et al., Electronic Imaging, 2016, doi:10.2352/ISSN.2470-1173.2016.16.HVEI-103: the
    mean over six levels of the root mean square difference.

    Args:
        image: (N, C, rows, columns), at least 32 pixels along both axes.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: None; another is refused.

    Returns:
        (N,), >= 0, seldom above 1; 0 for equal images, constant ones too.

    Raises:
        UsageError: Shapes differ, three spatial axes, an axis is too short, or there is a mask.
    """
    check(
        "NLPD",
        image,
        reference,
        minimum_side=MINIMUM_SIDE,
        spatial=SPATIAL,
        data_range=data_range,
    )
    refuse_mask("NLPD", mask)
    own, true = (_pyramid(each / data_range) for each in (image, reference))
    distances = [
        root(((_normalised(a, level) - _normalised(b, level)) ** 2).flatten(1).mean(1))
        for level, (a, b) in enumerate(zip(own, true, strict=True))
    ]
    return torch.stack(distances).mean(0)


def _pyramid(image: Tensor) -> list[Tensor]:
    """Laplacian pyramid of Burt and Adelson: five bands and what is left, finest first."""
    bands = []
    for _ in range(len(FLOORS) - 1):
        low = slide(image, TAPS, edges="repeat", step=2)
        bands.append(image - _enlarged(low, image.shape))
        image = low
    return [*bands, image]


def _enlarged(low: Tensor, shape: torch.Size) -> Tensor:
    """Twice as many pixels, interpolated by the pyramid's own taps; the border is continued."""
    padded = torch.nn.functional.pad(low, (1, 1, 1, 1), mode="replicate")
    for axis in (2, 3):
        spread = torch.stack([padded, torch.zeros_like(padded)], axis + 1).flatten(axis, axis + 1)
        padded = slide_along(spread, 2 * TAPS, axis).narrow(axis, 0, shape[axis])
    return padded


def _normalised(band: Tensor, level: int) -> Tensor:
    """A band over the weighted amplitude of its neighbours; beyond the border there is none."""
    reach = 2
    around = torch.nn.functional.pad(band.abs(), (reach, reach, reach, reach))
    amplitude = torch.full_like(band, FLOORS[level])
    for (row, column), weight in NEIGHBOURS[level].items():
        shifted = around.narrow(2, reach + row, band.shape[2])
        shifted = shifted.narrow(3, reach + column, band.shape[3])
        amplitude = amplitude + weight * shifted
    return band / amplitude
