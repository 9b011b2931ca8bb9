"""QI2: how far the air's brightness is from that of noise."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.ndimage
import scipy.stats

from isocenter.data.scores import Score
from isocenter.data.shapes import Image3, Mask3
from isocenter.measures._anatomy import FEWEST_AIR, Anatomy
from isocenter.measures._scores import Definition, Kind, Unmeasurable, scores

__all__ = ["KINDS", "SOURCE", "VALIDATED", "qi_2"]

KINDS = {"qi_2": Kind(better="lower", low=0.0)}
SOURCE = "doi:10.1002/mrm.21992"
VALIDATED = "scipy's kernel density and fits, sample by sample; Rayleigh noise with and without."

N_GRID = 1000
N_QUANTILES = 2000
"""Points that stand for all samples in a fit."""
FINE = 8
"""Bins of the histogram for each step of the grid."""
COILS = 32
"""Degrees of freedom from which MRIQC begins its fit."""

Values = npt.NDArray[np.float64]


class _Fit(NamedTuple):
    """Density of the air and of the noise that was fitted to it, on one grid."""

    grid: Values
    density: Values
    noise: Values


def qi_2(anatomy: Anatomy, *, definition: Definition) -> tuple[Score, ...]:
    """``qi_2``: mean |density of the air - density of fitted noise| beyond the half maximum.

    Mortamet et al., MRM 62(2), 2009, doi:10.1002/mrm.21992.  The density is a Gaussian kernel
    estimate at 1000 points; it is compared from the last point above half of its maximum on.
    Of the image as read.  Nothing is drawn: the kernel runs over a fine histogram of all
    samples, and a fit sees 2000 quantiles of them.

    ``corrected``: positive air without structure (the source removes it), scaled so that its
    99th percentile is 100, kernel 4; noise of magnitude images, a chi distribution from 0
    with as many degrees of freedom as fit.
    ``mriqc-24``: the hat with its structure and zeros, scaled alike, kernel 4, grid to 110; a
    chi-squared distribution with free place and scale.
    ``mriqc-0.15``: the positive hat as it is, kernel of a twentieth of the 98th percentile,
    grid to the 99th; chi-squared fitted below the 95th.  The value has the inverse unit of the
    image.  That 0.15 did so is inferred from the code of releases soon after it.

    Missing where MRIQC gives 0: fewer than 1000 positive voxels of air.
    """
    take = {"corrected": _corrected, "mriqc-24": _mriqc_24, "mriqc-0.15": _mriqc_015}
    return scores(KINDS, {"qi_2": lambda: _misfit(take[definition](anatomy))})


def _corrected(anatomy: Anatomy) -> _Fit:
    air = anatomy.need(anatomy.air, "air")
    values = _samples(anatomy.image, air & (anatomy.image > 0))
    values *= 100 / np.percentile(values, 99)
    grid = np.linspace(0, 110, N_GRID)
    parameters = scipy.stats.chi.fit(_quantiles(values), floc=0)
    return _Fit(grid, _density(values, grid, 4.0), scipy.stats.chi.pdf(grid, *parameters))


def _mriqc_24(anatomy: Anatomy) -> _Fit:
    hat = anatomy.need(anatomy.hat, "hat")
    values = _samples(anatomy.image, hat)
    values *= 100 / np.percentile(values, 99)
    grid = np.linspace(0, 110, N_GRID)
    parameters = scipy.stats.chi2.fit(_quantiles(values), COILS)
    return _Fit(grid, _density(values, grid, 4.0), scipy.stats.chi2.pdf(grid, *parameters))


def _mriqc_015(anatomy: Anatomy) -> _Fit:
    hat = anatomy.need(anatomy.hat, "hat")
    values = _samples(anatomy.image, hat & (anatomy.image > 0))
    p95, p98, p99 = np.percentile(values, (95, 98, 99))
    grid = np.linspace(0, p99, N_GRID)
    parameters = scipy.stats.chi2.fit(_quantiles(values[values < p95]), COILS)
    return _Fit(grid, _density(values, grid, 0.05 * p98), scipy.stats.chi2.pdf(grid, *parameters))


def _misfit(fit: _Fit) -> float:
    above = np.flatnonzero(fit.density > 0.5 * fit.density.max())
    beyond = int(above[-1]) + 1
    if beyond >= len(fit.grid):
        raise Unmeasurable("the brightness of the air has no tail to compare with noise")
    return float(np.abs(fit.density[beyond:] - fit.noise[beyond:]).mean())


def _samples(image: Image3, where: Mask3) -> Values:
    """Values of the air, nothing below 0."""
    values: Values = np.maximum(image.numpy()[where.numpy()], 0).astype(np.float64)
    if np.count_nonzero(values) < FEWEST_AIR or np.percentile(values, 99) <= 0:
        raise Unmeasurable(f"fewer than {FEWEST_AIR} voxels of air have a value")
    return values


def _quantiles(values: Values) -> Values:
    """As many values, evenly ranked, as a fit needs."""
    ordered = np.sort(values)
    ranks = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES * len(ordered)
    return np.asarray(ordered[ranks.astype(np.int64)])


def _density(values: Values, grid: Values, width: float) -> Values:
    """Gaussian kernel estimate: a fine histogram, blurred, read at the grid."""
    step = float(grid[1] - grid[0]) / FINE
    beyond = 5 * width
    n_bins = round((grid[-1] + 2 * beyond) / step)
    edges = np.arange(n_bins + 1) * step - beyond - step / 2
    counts, _ = np.histogram(values, edges)
    smooth = scipy.ndimage.gaussian_filter1d(
        counts / (len(values) * step), width / step, mode="constant", truncate=5.0
    )
    centres = edges[:-1] + step / 2
    return np.asarray(np.interp(grid, centres, smooth))
