"""Which tissue a voxel of the brain is, and how it is lit: mixture, neighbours, shading."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.ndimage
import torch

from isocenter.data.shapes import Image3, Mask3
from isocenter.errors import BadVolume, UnknownName, UsageError
from isocenter.ops._kernels_tissue import COUNTED, OUTSIDE, SEEN
from isocenter.ops._tissue_mixture import (
    HIGHEST_DEGREE,
    Grid,
    Mixture,
    States,
    legendre,
    polynomial,
)

__all__ = ["TissueMaps", "given_maps", "separability", "tissue_maps", "why_untrustworthy"]

TISSUES = ("csf", "gm", "wm")
DARK_TO_BRIGHT = {
    "T1w": ("csf", "gm", "wm"),
    "T2w": ("wm", "gm", "csf"),
    "PDw": ("wm", "gm", "csf"),
    "FLAIR": ("csf", "wm", "gm"),
}
FEWEST_VOXELS = 100
LEAST_WHITE = 0.2
"""Part of the brain that white matter has at least, when the contrast is guessed."""


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
    fit = Mixture(image, state, spacing)
    fit.run()
    order = DARK_TO_BRIGHT[contrast or _guess(fit, spacing)]
    csf, gm, wm = (_placed(fit.shares[..., order.index(name)], data, box) for name in TISSUES)
    return TissueMaps(csf, gm, wm, _continued(fit, data, box))


def given_maps(csf: Image3, gm: Image3, wm: Image3, *, whole: bool = True) -> TissueMaps:
    """Maps that another program made, under no shading.

    Args:
        csf: Probability of cerebrospinal fluid, 0 to 1.
        gm: Of grey matter.
        wm: Of white matter.
        whole: Divide the three by their sum where it is at least one half, and set them to 0
            elsewhere; else they stay what they are, but for rounding below 0.

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
    csf, gm, wm = (one.clamp_min(0) for one in maps.values())
    if whole:
        csf, gm, wm = (torch.where(inside, one / total, 0.0) for one in (csf, gm, wm))
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


def _guess(fit: Mixture, spacing: tuple[float, float, float]) -> str:
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


def _continued(fit: Mixture, data: Image3, box: tuple[slice, slice, slice]) -> Image3:
    """The shading on the whole grid, held within its range in the brain."""
    inside = fit.field[fit.state != OUTSIDE]
    bases = [
        legendre(side, HIGHEST_DEGREE, start=part.start, n_voxels=n)
        for side, part, n in zip(fit.image.shape, box, data.shape, strict=True)
    ]
    field = np.exp(np.clip(polynomial(fit.table, bases), *np.log([inside.min(), inside.max()])))
    return torch.from_numpy(field).to(data)
