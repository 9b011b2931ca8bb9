"""The mixture of three tissues under a smooth shading, fitted by rounds of expectation and
regression; see :func:`isocenter.ops.tissue.tissue_maps`."""

import itertools

import numpy as np
import numpy.typing as npt
import scipy.ndimage

from isocenter.ops._kernels_tissue import COUNTED, OUTSIDE, expect_slabs
from isocenter.ops._threads import in_threads

__all__ = ["HIGHEST_DEGREE", "Grid", "Mixture", "States", "legendre", "polynomial"]

LOOSE = 0.005
"""Least prior probability of a tissue that no neighbour is of."""
TIED = 0.5
"""How far the tissues' variances are drawn to their mean: noise is common to all."""
LEAST_SHARE = 0.02
"""A tissue's part of the brain counts as this at least, lest it dies out."""
FIRST_BLUR = 0.7
"""Voxels; for the first guess of the tissues' means."""
CELL_MM = 5.0
"""The shading is fitted on cells of about this size."""
HIGHEST_DEGREE = 3
"""Of the shading's polynomial; the fit begins without shading and goes up by one."""
MOST_ROUNDS = (4, 8, 12, 16)
"""With each degree."""
STILL = 1e-3
"""A round that changes no brightness by more than this part ends a degree."""
N_BINS = 128
NARROWEST = 0.01
"""Least standard deviation of a tissue over the brain's median."""

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Grid = npt.NDArray[np.float32]
States = npt.NDArray[np.uint8]


class Mixture:
    """The state of the estimation: what is known after each round."""

    def __init__(
        self,
        image: Grid,
        state: States,
        spacing: tuple[float, float, float],
    ) -> None:
        self.image, self.state = image, state
        near = np.array([min(spacing) / size for size in spacing])
        self.weights = (near / (2 * near.sum())).astype(np.float32)
        self.steps = tuple(
            max(1, min(round(CELL_MM / size), side // 4))
            for size, side in zip(spacing, image.shape, strict=True)
        )
        self.bases = [legendre(side, HIGHEST_DEGREE) for side in image.shape]
        self.table = np.zeros([basis.shape[1] for basis in self.bases])
        self.field = np.ones_like(image)
        self.classes = _first_classes(image, state == COUNTED)
        self.shares = np.full((*image.shape, 3), 1 / 3, np.float32)
        self.shares[state == OUTSIDE] = 0

    def run(self) -> None:
        """Rounds until nothing moves, with shadings that bend more and more."""
        for degree in range(HIGHEST_DEGREE + 1):
            for _ in range(MOST_ROUNDS[degree]):
                sums, cells = self._expect()
                if self._refit(sums, cells, degree) < STILL:
                    break
        self._expect()

    def _expect(self) -> tuple[Array, Array]:
        """Tissues from classes and shading, and the sums from which these follow."""
        n_cells = [
            -(-side // step) for side, step in zip(self.image.shape, self.steps, strict=True)
        ]
        sums, cells = np.zeros((n_cells[0], 2, 3)), np.zeros((*n_cells, 2, 3))
        new = np.zeros_like(self.shares)

        def work(start: int, stop: int) -> None:
            expect_slabs(
                self.image, self.state, self.field, self.shares, _ready(self.classes),
                self.weights, LOOSE, self.steps, new, sums, cells, start, stop,
            )  # fmt: skip

        in_threads(work, n_cells[0])
        self.shares = new
        return sums.sum(0), cells

    def _refit(self, sums: Array, cells: Array, degree: int) -> float:
        """Means and shading at once, since each explains part of what the other does.

        Returns:
            By what part a brightness can have changed, at most.
        """
        at = np.nonzero(cells[..., 0, :].sum(-1) > 0)
        mean, width, _ = self.classes
        weight, pull = cells[at][:, 0] / width**2, cells[at][:, 1] / width**2
        powers, terms = self._terms(at, degree)
        n_terms = len(powers)
        normal = np.zeros((n_terms + 3, n_terms + 3))
        normal[:-3, :-3] = terms.T @ (terms * (weight @ mean**2)[:, None])
        normal[:-3, -3:] = terms.T @ (weight * mean)
        normal[-3:, :-3] = normal[:-3, -3:].T
        normal[-3:, -3:] = np.diag(weight.sum(0))
        right = np.append(terms.T @ (pull @ mean), pull.sum(0))
        size = np.sqrt(np.diag(normal)) + 1e-12
        normal = normal / np.outer(size, size) + 1e-6 * np.eye(len(size))
        change = np.linalg.solve(normal, right / size) / size
        total = sums[0] + 1e-3
        spread = (1 - TIED) * sums[1] / total + TIED * sums[1].sum() / total.sum()
        width = np.sqrt(np.maximum(spread, NARROWEST**2))
        share = np.maximum(total / total.sum(), LEAST_SHARE)
        self.classes = np.stack([mean + change[-3:], width, share])
        for power, step in zip(powers, change, strict=False):
            self.table[power] += step
        self._relight()
        return float(np.abs(change[:-3]).sum() + np.abs(change[-3:] / mean).max())

    def _terms(
        self, at: tuple[Indices, ...], degree: int
    ) -> tuple[list[tuple[int, int, int]], Array]:
        """Exponents of the shading's polynomial, without the constant, and its terms at cells."""
        bases = [
            _cell_means(basis, step) for basis, step in zip(self.bases, self.steps, strict=True)
        ]
        powers = _powers(degree, [basis.shape[1] for basis in bases])[1:]
        x, y, z = (basis[index] for basis, index in zip(bases, at, strict=True))
        terms = [x[:, a] * y[:, b] * z[:, c] for a, b, c in powers]
        return powers, np.stack(terms, 1) if terms else np.zeros((len(x), 0))

    def _relight(self) -> None:
        """The shading from its coefficients, geometric mean 1."""
        self.field = np.exp(polynomial(self.table, self.bases))
        middle = np.exp(np.log(self.field[self.state == COUNTED]).mean(dtype=np.float64))
        self.table[0, 0, 0] -= np.log(middle)
        self.field /= np.float32(middle)
        self.classes[0] *= middle


def _ready(classes: Array) -> Array:
    """Mean, half the precision, share over width."""
    mean, width, share = classes
    return np.stack([mean, 0.5 / width**2, share / width])


def _first_classes(image: Grid, counted: npt.NDArray[np.bool_]) -> Array:
    """Mean, width and share of three classes, from a copy with less noise."""
    weight = scipy.ndimage.gaussian_filter(counted.astype(np.float32), FIRST_BLUR)
    blurred = scipy.ndimage.gaussian_filter(image * counted, FIRST_BLUR)
    values = blurred[counted] / weight[counted]
    cuts, mean = _three_levels(values)
    residual = image[counted] - mean[np.searchsorted(cuts, values)]
    width = max(NARROWEST, float(residual.std()))
    return np.stack([mean, np.full(3, width), np.full(3, 1 / 3)])


def _three_levels(values: Grid) -> tuple[Array, Array]:
    """The two thresholds between the three groups of least variance (Otsu), and their means."""
    counts, edges = np.histogram(values, bins=N_BINS)
    centres = (edges[:-1] + edges[1:]) / 2
    count = np.concatenate([[0.0], np.cumsum(counts)])
    total = np.concatenate([[0.0], np.cumsum(counts * centres)])

    def part(start: Indices, stop: Indices) -> Array:
        """Sum squared over count of the bins from ``start`` to ``stop``."""
        inside = np.maximum(count[stop] - count[start], 1e-9)
        return np.asarray((total[stop] - total[start]) ** 2 / inside)

    low, high = np.triu_indices(N_BINS, 1)
    low, high = low + 1, high + 1
    first, last = np.zeros_like(low), np.full_like(low, N_BINS)
    best = int((part(first, low) + part(low, high) + part(high, last)).argmax())
    cuts = [0, low[best], high[best], N_BINS]
    inside = np.maximum(np.diff(count[cuts]), 1e-9)
    return edges[cuts[1:3]].astype(float), np.diff(total[cuts]) / inside


def legendre(side: int, degree: int, *, start: int = 0, n_voxels: int | None = None) -> Array:
    """Legendre polynomials at ``n_voxels`` places of which ``side`` from ``start`` span -1 to 1.

    A side of a few voxels has the constant only.
    """
    places = np.arange(side if n_voxels is None else n_voxels) - start
    degree = degree if side > 3 else 0
    return np.asarray(np.polynomial.legendre.legvander((places + 0.5) / side * 2 - 1, degree))


def _cell_means(basis: Array, step: int) -> Array:
    starts = np.arange(0, len(basis), step)
    counts = np.diff(np.append(starts, len(basis)))
    return np.asarray(np.add.reduceat(basis, starts, axis=0) / counts[:, None])


def _powers(degree: int, limits: list[int]) -> list[tuple[int, int, int]]:
    """Exponents that sum to ``degree`` at most, each below its axis's limit."""
    every = itertools.product(*(range(min(degree + 1, limit)) for limit in limits))
    return [(a, b, c) for a, b, c in every if a + b + c <= degree]


def polynomial(table: Array, bases: list[Array]) -> Grid:
    x, y, z = (basis.astype(np.float32) for basis in bases)
    planes = np.einsum("abc,xa,yb->xyc", table.astype(np.float32), x, y)
    return np.asarray(planes @ z.T)
