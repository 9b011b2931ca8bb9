"""Whether one measure agrees with opinions better than another on the same images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import scipy.stats

from isocenter.errors import UsageError
from isocenter.statistics._inputs import columns, finite, named_rows, score_table
from isocenter.statistics.bootstrap import draws_by_person, two_sided
from isocenter.statistics.comparison import Comparison, Pairwise, all_pairs, z_test
from isocenter.statistics.correlation import srocc, srocc_of_all

__all__ = [
    "f_test",
    "meng_test",
    "pairs_by_bootstrap",
    "pairs_by_f_test",
    "pairs_by_jackknife",
    "pairs_by_meng_test",
    "steiger_test",
]


def f_test(first: npt.ArrayLike, second: npt.ArrayLike) -> Comparison:
    """Two-sided F-test of two measures' residual variances after the fit.

    The statistic is the variance of ``first`` over that of ``second``, so below 1 the first
    measure is nearer to the opinions.  The test assumes Gaussian residuals that are
    independent between measures and between images.  Neither holds: errors of the opinions
    are common to both measures, which makes p too large, and images of one reference share an
    offset, which makes it too small.  Of two equally good measures on 8 references of 14
    images, with such offsets, it calls about 8 in 100 different at p < 0.05.

    Source: VQEG phase II, 2003; Sheikh et al., IEEE TIP 15(11), 2006,
    doi:10.1109/TIP.2006.881959.

    Raises:
        UsageError: Fewer than two residuals.
        InputError: A residual is infinite or missing.
    """
    (one,), (other,) = columns(first), columns(second)
    finite("residuals", one), finite("residuals", other)
    if min(one.size, other.size) < 2:
        raise UsageError("an F-test needs two residuals of each measure")
    above, below = float(np.var(one, ddof=1)), float(np.var(other, ddof=1))
    if below == 0:
        return Comparison(1.0, 1.0) if above == 0 else Comparison(math.inf, 0.0)
    ratio = above / below
    law = scipy.stats.f(one.size - 1, other.size - 1)
    return Comparison(ratio, min(1.0, float(2 * min(law.cdf(ratio), law.sf(ratio)))))


def steiger_test(first: float, second: float, between: float, n: int) -> Comparison:
    """z of two correlations with the same opinions, by the pooled estimate; two-sided.

    Args:
        first: Correlation of one measure with the opinions, -1 to 1.
        second: The same of the other measure.
        between: Correlation of the two measures.
        n: Number of images, above three.

    Source: Steiger, Psychological Bulletin 87, 1980, doi:10.1037/0033-2909.87.2.245,
    eq. 3 and 14.  Made for Pearson's correlation; with Spearman's it is an approximation.

    Raises:
        UsageError: A correlation beyond -1 to 1, or too few images.
    """
    if _equal_measures(first, second, between, n):
        return Comparison(0.0, 1.0)
    pooled = ((first + second) / 2) ** 2
    shared = between * (1 - 2 * pooled) - pooled * (1 - 2 * pooled - between**2) / 2
    spread = 2 - 2 * shared / (1 - pooled) ** 2
    return _fisher_test(first, second, spread, n)


def meng_test(first: float, second: float, between: float, n: int) -> Comparison:
    """z of two correlations with the same opinions; two-sided.

    Arguments and errors are those of :func:`steiger_test`.

    Source: Meng, Rosenthal & Rubin, Psychological Bulletin 111, 1992,
    doi:10.1037/0033-2909.111.1.172, eq. 1 to 3.
    """
    if _equal_measures(first, second, between, n):
        return Comparison(0.0, 1.0)
    mean_square = (first**2 + second**2) / 2
    f = min(1.0, (1 - between) / (2 * (1 - mean_square)))
    h = (1 - f * mean_square) / (1 - mean_square)
    return _fisher_test(first, second, 2 * (1 - between) * h, n)


def pairs_by_f_test(names: Sequence[str], residuals: npt.ArrayLike) -> Pairwise:
    """:func:`f_test` of all pairs; ``residuals`` is a table (methods, images)."""
    table = named_rows(names, score_table(residuals, np.shape(residuals)[-1]))
    return all_pairs(names, lambda i, j: f_test(table[i], table[j]))


def pairs_by_meng_test(
    names: Sequence[str], scores: npt.ArrayLike, opinions: npt.ArrayLike
) -> Pairwise:
    """:func:`meng_test` of all pairs with Spearman's correlations.

    Args:
        names: The methods.
        scores: Table (methods, images), higher being better.
        opinions: Mean opinion of every image.

    Raises:
        UsageError: Shapes do not match.
        InputError: A score is missing.
    """
    (y,) = columns(opinions)
    table = named_rows(names, score_table(scores, y.size))
    with_opinions = [srocc(row, y) for row in table]
    return all_pairs(
        names,
        lambda i, j: meng_test(
            with_opinions[i], with_opinions[j], srocc(table[i], table[j]), y.size
        ),
    )


def pairs_by_jackknife(
    names: Sequence[str],
    scores: npt.ArrayLike,
    opinions: npt.ArrayLike,
    references: Sequence[str],
) -> Pairwise:
    """Differences of SROCC as they vary when one reference after the other is left out.

    The statistic is Student's t of the difference of Fisher's z, row less column, with as many
    degrees of freedom as references less one.  It takes references as independent, not images:
    of two equally good measures, with or without offsets between references, it calls 3 to 5 in
    100 different at p < 0.05 on 4 to 12 references.  The price is power where references are
    few.  Where a correlation is 1 or -1, or there is one reference alone, p is NaN.

    Args:
        names: The methods.
        scores: Table (methods, images), higher being better.
        opinions: Mean opinion of every image.
        references: Reference of every image.

    Source: Efron & Stein, Ann. Statist. 9, 1981, doi:10.1214/aos/1176345462.

    Raises:
        UsageError: Shapes do not match.
        InputError: A score is missing.
    """
    (y,) = columns(opinions)
    table = named_rows(names, score_table(scores, y.size))
    owner = _owners(references, y.size)
    n = int(owner.max()) + 1
    kept = [owner != one for one in range(n if n > 1 else 0)]
    with np.errstate(divide="ignore"):
        whole = np.arctanh(srocc_of_all(table, y))
        without = [np.arctanh(srocc_of_all(table[:, rows], y[rows])) for rows in kept]
    known = np.asarray(np.isfinite([whole, *without]).all(axis=0) & (n > 1))

    def test(i: int, j: int) -> Comparison:
        if not (known[i] and known[j]):
            return Comparison(math.nan, math.nan)
        gaps = [float(one[i] - one[j]) for one in without]
        return z_test(float(whole[i] - whole[j]), (n - 1) * float(np.var(gaps)), freedom=n - 1)

    return all_pairs(names, test)


def pairs_by_bootstrap(
    names: Sequence[str],
    scores: npt.ArrayLike,
    opinions: npt.ArrayLike,
    references: Sequence[str],
    *,
    rng: np.random.Generator,
    n_draws: int = 1000,
) -> Pairwise:
    """Differences of SROCC when references are drawn again, the same draws for all methods.

    The statistic is the SROCC of the row less that of the column on all images.  With few
    references p is too small: of two equally good measures on 8 references of 14 images, with
    offsets between references, it calls about 12 in 100 different at p < 0.05, and so does
    :func:`pairs_by_meng_test`, which takes images as independent.

    Args:
        names: The methods.
        scores: Table (methods, images), higher being better.
        opinions: Mean opinion of every image.
        references: Reference of every image.
        rng: Draws references with replacement.
        n_draws: Number of draws; p is never below 2 / (draws + 1).

    Raises:
        UsageError: Shapes do not match.
        InputError: A score is missing.
    """
    (y,) = columns(opinions)
    table = named_rows(names, score_table(scores, y.size))
    _owners(references, y.size)
    drawn = np.array(
        [
            srocc_of_all(table[:, rows], y[rows])
            for rows in draws_by_person(references, rng=rng, n_draws=n_draws)
        ]
    )
    whole = srocc_of_all(table, y)
    return all_pairs(
        names,
        lambda i, j: Comparison(float(whole[i] - whole[j]), two_sided(drawn[:, i] - drawn[:, j])),
    )


def _owners(references: Sequence[str], n_images: int) -> npt.NDArray[np.intp]:
    """Number of every image's reference."""
    if len(references) != n_images:
        raise UsageError(f"{len(references)} references for {n_images} images; name one an image")
    return np.unique(np.asarray(references), return_inverse=True)[1]


def _equal_measures(first: float, second: float, between: float, n: int) -> bool:
    """Whether there is nothing to tell apart, once the numbers make sense."""
    if max(abs(first), abs(second), abs(between)) > 1 or n <= 3:
        raise UsageError(
            f"correlations lie within -1 to 1 and need four images, not {first}, {second}, "
            f"{between} on {n}"
        )
    return first == second


def _fisher_test(first: float, second: float, spread: float, n: int) -> Comparison:
    """z of Fisher-transformed correlations whose difference varies by spread / (n - 3)."""
    if max(abs(first), abs(second)) == 1 or not spread > 0:
        return Comparison(math.nan, math.nan)
    z = (math.atanh(first) - math.atanh(second)) * math.sqrt((n - 3) / spread)
    return Comparison(z, float(2 * scipy.stats.norm.sf(abs(z))))
