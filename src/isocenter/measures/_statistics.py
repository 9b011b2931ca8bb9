"""What is known of the brightness of a tissue or of the air, under each definition.

``mriqc-24``    every voxel has its say by its probability (rounded to 3 decimals, brightness to
                whole numbers); kurtosis and MAD from voxels of more than half the largest
                probability, the MAD around the weighted median.
``mriqc-0.15``  voxels of a probability above 0.85, eroded by the 18 neighbours where all sides
                of a voxel are below 1.9 mm; all have the same say.
``corrected``   as ``mriqc-0.15``, but not eroded where fewer than 1000 voxels would be left
                (thin tissues of low resolution), and zeros of the air dropped, not eroded.

All are of the harmonized image: under no shading, with white matter at 1000.
"""

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from isocenter.data.shapes import Image3, Mask3
from isocenter.measures._anatomy import FEWEST_AIR, Anatomy
from isocenter.measures._scores import Definition, Unmeasurable
from isocenter.ops.morphology import erode18

__all__ = ["NAMES", "PARTS", "TISSUES", "Part", "Summary", "centre", "spread", "summary"]

Part = Literal["bg", "csf", "gm", "wm"]
"""Air without structure above the face, cerebrospinal fluid, grey and white matter."""
TISSUES: tuple[Part, ...] = ("csf", "gm", "wm")
PARTS: tuple[Part, ...] = ("bg", *TISSUES)
SURE = 0.85
"""Probability above which a voxel is of one tissue."""
FINE_MM = 1.9
"""Voxels of smaller sides are fine enough to erode a tissue."""
FEWEST_ERODED = 1000
FEWEST_TISSUE = 100
GAUSSIAN_MAD = 0.6744897501960817
"""MAD of a normal distribution of standard deviation 1."""
NAMES = {"bg": "air", "csf": "cerebrospinal fluid", "gm": "grey matter", "wm": "white matter"}

Values = npt.NDArray[np.float64]


class Summary(NamedTuple):
    """Of one part's brightness, in thousandths of white matter's."""

    mean: float
    median: float
    stdv: float
    """Standard deviation, divisor n."""
    mad: float
    """Median absolute deviation over 0.6745: the standard deviation of a normal part."""
    k: float
    """Excess kurtosis, 0 for a normal part."""
    p05: float
    p95: float
    n: float
    """Voxels, or the sum of their probabilities."""


def summary(anatomy: Anatomy, part: Part, definition: Definition) -> Summary:
    """Statistics of one part.

    Raises:
        Unmeasurable: The part is not there, or too small.
    """
    return anatomy.once(("summary", part, definition), lambda: _summary(anatomy, part, definition))


def centre(anatomy: Anatomy, part: Part, definition: Definition) -> float:
    """Mean where the sources say mean, median where MRIQC's code takes the median."""
    found = summary(anatomy, part, definition)
    return found.mean if definition == "corrected" else found.median


def spread(anatomy: Anatomy, part: Part, definition: Definition) -> float:
    """Standard deviation where the sources say so, MAD where MRIQC's code takes the MAD."""
    found = summary(anatomy, part, definition)
    return found.stdv if definition == "corrected" else found.mad


def _summary(anatomy: Anatomy, part: Part, definition: Definition) -> Summary:
    image = anatomy.need(anatomy.harmonized, "harmonized")
    share = _probability(anatomy, part)
    if definition == "mriqc-24":
        held = share > 0
        found = _weighted(_numbers(image, held), _numbers(share, held))
    else:
        found = _plain(_numbers(image, _sample(anatomy, part, share > SURE, definition)))
    fewest = FEWEST_AIR if part == "bg" else FEWEST_TISSUE
    if found is None or found.n < fewest:
        n = 0.0 if found is None else found.n
        raise Unmeasurable(f"{n:.0f} voxels are surely {NAMES[part]}, {fewest} are needed")
    return found


def _probability(anatomy: Anatomy, part: Part) -> Image3:
    if part == "bg":
        return anatomy.need(anatomy.air, "air").float()
    share: Image3 = getattr(anatomy.need(anatomy.tissue, "tissue"), part)
    return share


def _sample(anatomy: Anatomy, part: Part, sure: Mask3, definition: Definition) -> Mask3:
    """The voxels that are counted, all with the same say."""
    if definition == "corrected" and part == "bg":
        return sure & (anatomy.image > 0)
    if max(anatomy.spacing) >= FINE_MM:
        return sure
    inner = erode18(sure)
    thin = definition == "corrected" and int(inner.count_nonzero()) < FEWEST_ERODED
    return sure if thin else inner


def _numbers(image: Image3, where: Mask3) -> Values:
    return np.asarray(image.numpy()[where.numpy()], np.float64)


def _plain(values: Values) -> Summary | None:
    if not values.size:
        return None
    p05, median, p95 = np.percentile(values, (5, 50, 95)).tolist()
    return Summary(
        mean=float(values.mean()),
        median=median,
        stdv=float(values.std()),
        mad=_mad(values, median),
        k=_kurtosis(values),
        p05=p05,
        p95=p95,
        n=float(values.size),
    )


def _weighted(values: Values, share: Values) -> Summary | None:
    """Weighted by probability, rounded as MRIQC 24.0 rounds."""
    if not values.size:
        return None
    level = np.rint(values).astype(np.int64)
    mass = np.asarray(np.bincount(level, np.round(share, 3)), np.float64)
    total, levels = mass.sum(), np.arange(mass.size)
    if total == 0:
        return None
    mean = float(mass @ levels / total)
    p05, median, p95 = (_weighted_quantile(mass, rank) for rank in (0.05, 0.5, 0.95))
    core = values[share > 0.5 * share.max()]
    return Summary(
        mean=mean,
        median=median,
        stdv=float(np.sqrt(mass @ (levels - mean) ** 2 / total)),
        mad=_mad(core, median),
        k=_kurtosis(core),
        p05=p05,
        p95=p95,
        n=float(share.sum()),
    )


def _weighted_quantile(mass: Values, rank: float) -> float:
    """Least whole brightness at or below which lies ``rank`` of all mass."""
    below = np.cumsum(mass)
    return float(np.searchsorted(below, rank * below[-1]))


def _mad(values: Values, around: float) -> float:
    return float(np.median(np.abs(values - around)) / GAUSSIAN_MAD)


def _kurtosis(values: Values) -> float:
    apart = values - values.mean()
    variance = float((apart**2).mean())
    return float((apart**4).mean()) / variance**2 - 3 if variance > 0 else float("nan")
