"""Which tissue a voxel of the brain is, and how it is lit: mixture, neighbours, shading."""

import itertools
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.ndimage
import torch

from isocenter.data.shapes import Image3, Mask3
from isocenter.errors import BadVolume, UnknownName, UsageError
from isocenter.ops._kernels_tissue import COUNTED, OUTSIDE, SEEN, expect_slabs
from isocenter.ops._threads import in_threads

__all__ = ["TissueMaps", "given_maps", "separability", "tissue_maps", "why_untrustworthy"]

TISSUES = ("csf", "gm", "wm")
DARK_TO_BRIGHT = {
    "T1w": ("csf", "gm", "wm"),
    "T2w": ("wm", "gm", "csf"),
    "PDw": ("wm", "gm", "csf"),
    "FLAIR": ("csf", "wm", "gm"),
}
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
FEWEST_VOXELS = 100
LEAST_WHITE = 0.2
"""Part of the brain that white matter has at least, when the contrast is guessed."""
N_BINS = 128
NARROWEST = 0.01
"""Least standard deviation of a tissue over the brain's median."""

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Grid = npt.NDArray[np.float32]
States = npt.NDArray[np.uint8]


class TissueMaps(NamedTuple):
    """Probabilities of three tissues, and the shading they were found under."""

    csf: Image3
    """Cerebrospinal fluid, 0 to 1; the three sum to 1 in the brain and are 0 outside."""
    gm: Image3
    """Grey matter."""
    wm: Image3
    """White matter."""
    field: Image3
    """Multiplicative shading, > 0, geometric mean 1 in the brain; outside it goes on smoothly,
    held within the smallest and the largest value that it has inside."""


def tissue_maps(
    data: Image3,
    brain: Mask3,
    *,
    spacing: tuple[float, float, float],
    contrast: str | None = "T1w",
) -> TissueMaps:
    """Cerebrospinal fluid, grey and white matter, and the shading, of a brain.

    Expectation-maximisation of a mixture of three normal distributions (Wells et al., IEEE
    TMI 15(4), 1996, doi:10.1109/42.511747; Van Leemput et al., IEEE TMI 18(10), 1999,
    doi:10.1109/42.811270).  Shading multiplies the tissues' means, noise comes on top.  The
    prior of a tissue is the mean of its six neighbours' probabilities, weighted by
    1 / distance.  The logarithm of the shading is a cubic polynomial, refitted in every round.

    Nothing is drawn, and the unit of ``data`` does not matter.  Voxels that are not positive
    get a tissue but do not shape one.

    Args:
        data: Magnitude image (x, y, z), arbitrary units.
        brain: Where the brain is.
        spacing: Voxel size along x, y, z in mm.
        contrast: ``"T1w"``, ``"T2w"``, ``"PDw"`` or ``"FLAIR"``: the tissues' order from dark
            to bright; ``None`` takes white matter for the deepest of the three.

    Raises:
        BadVolume: The brain is nearly empty, or all of it is equally bright.
        UnknownName: No such contrast.
        UsageError: ``brain`` is of another shape.
    """
    if contrast is not None and contrast not in DARK_TO_BRIGHT:
        raise UnknownName("contrast", contrast, DARK_TO_BRIGHT)
    box = _box(data, brain)
    image, state = _levelled(data[box].cpu().numpy(), brain[box].cpu().numpy())
    fit = _Fit(image, state, spacing)
    fit.run()
    order = DARK_TO_BRIGHT[contrast or _guess(fit, spacing)]
    csf, gm, wm = (_placed(fit.shares[..., order.index(name)], data, box) for name in TISSUES)
    return TissueMaps(csf, gm, wm, _continued(fit, data, box))


def given_maps(csf: Image3, gm: Image3, wm: Image3) -> TissueMaps:
    """Maps that another program made, under no shading.

    The three are divided by their sum where it is at least one half, and are 0 elsewhere.

    Args:
        csf: Probability of cerebrospinal fluid, 0 to 1.
        gm: Of grey matter.
        wm: Of white matter.

    Raises:
        BadVolume: The shapes differ, a value is not between 0 and 1, a sum is well above 1,
            or there is no brain.
    """
    maps = {"csf": csf, "gm": gm, "wm": wm}
    if len({tuple(one.shape) for one in maps.values()}) > 1:
        shapes = ", ".join(f"{name} {tuple(one.shape)}" for name, one in maps.items())
        raise BadVolume(f"tissue maps of different shapes ({shapes}): give them on one grid")
    for name, one in maps.items():
        low, high = float(one.min()), float(one.max())
        if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):
            raise BadVolume(
                f"tissue map {name} goes from {low:g} to {high:g}: give probabilities, 0 to 1"
            )
    total = csf + gm + wm
    if float(total.max()) > 1 + 3 * TOLERANCE:
        raise BadVolume(
            f"tissue maps sum to {float(total.max()):g} somewhere: give probabilities that sum "
            f"to 1 at most"
        )
    inside = total >= 0.5
    if not bool(inside.any()):
        raise BadVolume("tissue maps hold no brain: their sum is below one half everywhere")
    csf, gm, wm = (torch.where(inside, one.clamp_min(0) / total, 0.0) for one in maps.values())
    return TissueMaps(csf, gm, wm, torch.ones_like(csf))


TOLERANCE = 0.01
"""By which probabilities of another program may miss their range: they were rounded."""
LEAST_SEPARABILITY = 1.5
SHARES = {"gm": (0.30, 0.60), "wm": (0.25, 0.55), "csf": (0.02, 0.35)}
"""Plausible parts of the brain."""
NAMES = {"gm": "grey matter", "wm": "white matter", "csf": "cerebrospinal fluid"}


def separability(data: Image3, maps: TissueMaps) -> float:
    """Distance of grey from white matter over their pooled standard deviation.

    Args:
        data: The image that ``maps`` belong to.
        maps: Its tissues and shading.

    Returns:
        ``|mean GM - mean WM| / sqrt((var GM + var WM) / 2)``, means and variances weighted by
        probability, under the shading; 0 when one of the two tissues is absent.
    """
    even = (data / maps.field).double()
    means, variances = [], []
    for one in (maps.gm, maps.wm):
        weight = one.double()
        total = weight.sum()
        if total <= 0:
            return 0.0
        means.append((weight * even).sum() / total)
        variances.append((weight * (even - means[-1]).square()).sum() / total)
    pooled = float(((variances[0] + variances[1]) / 2).sqrt())
    return abs(float(means[0] - means[1])) / pooled if pooled > 0 else math.inf


def why_untrustworthy(maps: TissueMaps, data: Image3) -> str | None:
    """Why the maps should not be built on, or ``None``.

    Args:
        maps: Tissues.
        data: The image that they belong to.
    """
    apart = separability(data, maps)
    if apart < LEAST_SEPARABILITY:
        return (
            f"grey and white matter are {apart:.2f} standard deviations apart, "
            f"{LEAST_SEPARABILITY} are needed"
        )
    sums = {name: float(getattr(maps, name).double().sum()) for name in SHARES}
    total = sum(sums.values())
    for name, (low, high) in SHARES.items():
        share = sums[name] / total
        if not low <= share <= high:
            return (
                f"{NAMES[name]} is {share:.0%} of the brain, {low:.0%} to {high:.0%} is plausible"
            )
    return None


class _Fit:
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
        self.bases = [_legendre(side, HIGHEST_DEGREE) for side in image.shape]
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
        self.field = np.exp(_polynomial(self.table, self.bases))
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


def _legendre(side: int, degree: int, *, start: int = 0, n_voxels: int | None = None) -> Array:
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


def _polynomial(table: Array, bases: list[Array]) -> Grid:
    x, y, z = (basis.astype(np.float32) for basis in bases)
    planes = np.einsum("abc,xa,yb->xyc", table.astype(np.float32), x, y)
    return np.asarray(planes @ z.T)


def _box(data: Image3, brain: Mask3) -> tuple[slice, slice, slice]:
    """The smallest box that holds the brain."""
    if data.shape != brain.shape:
        raise UsageError(
            f"the brain's mask is {tuple(brain.shape)} and the image {tuple(data.shape)}: "
            f"give a mask on the image's grid"
        )
    n_voxels = int(brain.sum())
    if n_voxels < FEWEST_VOXELS:
        raise BadVolume(
            f"the brain has {n_voxels} voxels, {FEWEST_VOXELS} are needed to tell tissues apart: "
            f"give a larger scan or another mask"
        )
    sides = []
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        reached = brain.any(others[1]).any(others[0]).nonzero()
        sides.append(slice(int(reached[0]), int(reached[-1]) + 1))
    return sides[0], sides[1], sides[2]


def _levelled(image: Grid, brain: npt.NDArray[np.bool_]) -> tuple[Grid, States]:
    """The image over the brain's median, and the state of every voxel."""
    counted = brain & (image > 0) & np.isfinite(image)
    values = image[counted]
    if values.size < FEWEST_VOXELS or np.ptp(values) <= 1e-6 * values.max():
        raise BadVolume(
            "the brain is equally bright everywhere, so that it holds no tissues: "
            "give an image with contrast"
        )
    state = np.full(image.shape, OUTSIDE, np.uint8)
    state[brain] = SEEN
    state[counted] = COUNTED
    low, middle, high = np.percentile(values, [0.1, 50, 99.9])
    level = np.clip(np.nan_to_num(image), low, high) / middle
    return np.ascontiguousarray(level, np.float32), state


def _guess(fit: _Fit, spacing: tuple[float, float, float]) -> str:
    """The contrast under which the deepest of the larger tissues is white matter."""
    depth = scipy.ndimage.distance_transform_edt(np.pad(fit.state > 0, 1), sampling=spacing)
    depth = depth[1:-1, 1:-1, 1:-1]
    total = fit.shares.reshape(-1, 3).sum(0, dtype=np.float64)
    mean = np.einsum("xyz,xyzt->t", depth, fit.shares, dtype=np.float64) / np.maximum(total, 1)
    mean[total < LEAST_WHITE * total.sum()] = 0.0
    return ("T2w", "FLAIR", "T1w")[int(mean.argmax())]


def _placed(part: Grid, data: Image3, box: tuple[slice, slice, slice]) -> Image3:
    whole = torch.zeros_like(data)
    whole[box] = torch.from_numpy(np.ascontiguousarray(part)).to(data.device)
    return whole


def _continued(fit: _Fit, data: Image3, box: tuple[slice, slice, slice]) -> Image3:
    """The shading on the whole grid, held within its range in the brain."""
    inside = fit.field[fit.state != OUTSIDE]
    bases = [
        _legendre(side, HIGHEST_DEGREE, start=part.start, n_voxels=n)
        for side, part, n in zip(fit.image.shape, box, data.shape, strict=True)
    ]
    field = np.exp(np.clip(_polynomial(fit.table, bases), *np.log([inside.min(), inside.max()])))
    return torch.from_numpy(field).to(data)
