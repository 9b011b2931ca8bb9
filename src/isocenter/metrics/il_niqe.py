"""IL-NIQE: NIQE with gradients and log-Gabor waves, judged patch by patch."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional
from torch import Tensor

from isocenter.data.checkpoint import Checkpoint
from isocenter.errors import UsageError
from isocenter.metrics._natural_scene import (
    load_fitted,
    mean_and_deviations,
    pack,
    patch_statistics,
    score_alone,
    shapes_and_widths,
    sharp_patches,
)
from isocenter.ops.natural_scene import (
    asymmetric_of,
    contrast_normalised,
    one_sided_means,
    patch_means,
    patches,
    weibull_of,
)
from isocenter.ops.phase import angular_fan, frequency_grid, log_gabor, low_pass
from isocenter.ops.windows import gaussian, slide, slide_along

__all__ = [
    "BETTER",
    "DIFFERENTIABLE",
    "MINIMUM_SIDE",
    "RANGE",
    "SOURCE",
    "SPATIAL",
    "UNIT",
    "VALIDATED",
    "fit",
    "il_niqe",
    "patch_features",
]

BETTER, RANGE, UNIT = "lower", (0.0, float("inf")), None
MINIMUM_SIDE, SPATIAL, DIFFERENTIABLE = 48, (2,), False
SOURCE = "doi:10.1109/TIP.2015.2426416"
VALIDATED = (
    "Not validated against the original: without colour, on patches of another size, and with "
    "another Weibull fit, its model is another."
)

PATCH = 48
"""Side in pixels; the authors take 84 of an image brought to 524 x 524."""
WINDOW = 5
SHORTEST_WAVE, WAVE_FACTOR, LOG_WIDTH = 2.4, 1.31, math.log(0.55)
N_WAVES, N_ORIENTATIONS, SPREAD = 3, 4, 1.10
DERIVATIVE_SIGMA = 1.66
WAVE_POWER, DERIVATIVE_POWER = 0.87, 0.28
"""Waves and derivatives are 2 to these powers shorter at half size."""
TINY = 1e-32
"""Square of the smallest slope."""
HALVING = gaussian(6, 0.9)
KEPT = 0.92
"""Share of the principal components."""


def il_niqe(
    image: Tensor, *, data_range: float, mask: Tensor | None = None, model: Path | None = None
) -> Tensor:
    """Integrated local natural image quality evaluator, for grey images.

    Zhang, Zhang and Bovik, IEEE TIP 24(8), 2015, doi:10.1109/TIP.2015.2426416: 216 numbers of
    every patch at each of two scales, their principal components, and the mean distance of the
    patches from undistorted ones.  What the authors take from colours is left out: the gradients
    of two opponent channels and the logarithms of the colours, 18 of 234 numbers.  Images keep
    their size, patches have 48 pixels instead of 84, Weibull distributions are fitted by
    logarithms, and derivatives of waves have a periodic border.

    Air around a head is no natural scene and drives the score: give a mask, or crop.

    Args:
        image: (N, 1, H, W), two sides of at least one patch.
        data_range: Largest possible difference of two values, in the image's units; the shipped
            model knows slices whose head has its 99th percentile there.
        mask: What counts, broadcastable to the image: every image is cropped to its box.
        model: File of :func:`fit`; the shipped one when not given.

    Returns:
        (N,), from 0, higher is worse; NaN where the image is constant, no patch has structure,
        or the box of the mask is smaller than a patch.

    Raises:
        UsageError: Not grey, not 2-D, or smaller than a patch.
        BadCheckpoint: ``model`` is no file of :func:`fit`.
    """
    fitted = load_fitted("il_niqe", model)
    patch, space = int(fitted.config["patch"]), _Space.stored(fitted)

    def distance(images: Tensor) -> Tensor:
        components = space.components(patch_features(images, patch)[0])
        distances, counted = _distances(components)
        return torch.where(counted, distances, 0).sum(1) / counted.sum(1)

    return score_alone(
        "IL-NIQE", distance, image, data_range=data_range, minimum_side=patch, mask=mask
    )


def fit(
    images: Iterable[Tensor],
    *,
    data_range: float,
    patch: int = PATCH,
    kept: float = KEPT,
    card: Mapping[str, Any] | None = None,
) -> Checkpoint:
    """Principal components and Gaussian of the sharp patches of undistorted images.

    Args:
        images: Each (N, 1, H, W), cropped to what counts; sizes may differ.
        data_range: As in :func:`il_niqe`, for all of them.
        patch: Side of a patch in pixels, even.
        kept: Share of the components that are kept, the strongest ones, 0 to 1.
        card: What the images are and their licences, kept in the file.

    Returns:
        For :meth:`~isocenter.data.checkpoint.Checkpoint.save`.

    Raises:
        UsageError: Fewer sharp patches than features.
    """
    found = sharp_patches(images, patch_features, data_range=data_range, patch=patch)
    space = _Space.of(found, kept)
    arrays = {"centre": space.centre, "axes": space.axes}
    return pack("il_niqe", {"patch": patch, "kept": kept}, arrays, card)


@dataclass(frozen=True, eq=False)
class _Space:
    """Principal components, which undistorted patches have with mean 0 and variance 1."""

    centre: Tensor
    """(d,)."""
    axes: Tensor
    """(d, k), for features less the centre."""

    @classmethod
    def of(cls, features: Tensor, kept: float) -> "_Space":
        features = features[features.isfinite().all(-1)].double()
        if len(features) < features.shape[-1]:
            raise UsageError(
                f"a model of {features.shape[-1]} features needs as many sharp patches; "
                f"got {len(features)}: give more images"
            )
        centre, scale = features.mean(0), features.std(0)
        scale = torch.where(scale > 0, scale, 1)
        values, vectors = torch.linalg.eigh(torch.cov(((features - centre) / scale).T))
        strongest = slice(len(values) - int(kept * len(values)), None)
        return cls(centre, vectors[:, strongest] / scale[:, None] / values[strongest].sqrt())

    @classmethod
    def stored(cls, checkpoint: Checkpoint) -> "_Space":
        parts = (checkpoint.fitted(name).double() for name in ("centre", "axes"))
        return cls(*parts)

    def components(self, features: Tensor) -> Tensor:
        return (features - self.centre.to(features)) @ self.axes.to(features)


def _distances(components: Tensor) -> tuple[Tensor, Tensor]:
    """Of every patch from the undistorted ones, by the mean of both covariances.

    That of undistorted patches is 1, that of the image's own D^T D for few deviations D, so that
    (1 + D^T D)^-1 = 1 - D^T (1 + D D^T)^-1 D is a small system (Woodbury).

    Args:
        components: (n, P, k).

    Returns:
        (n, P), and which patches count, (n, P).
    """
    _, deviations, counted = mean_and_deviations(components)
    seen = deviations @ components.nan_to_num().mT
    gram = deviations @ deviations.mT + torch.eye(seen.shape[1]).to(seen)
    shared = (seen * torch.linalg.solve(gram, seen)).sum(1)
    squared = 2 * (components.square().sum(-1) - shared)
    return squared.clamp_min(0).sqrt(), counted


def patch_features(images: Tensor, patch: int) -> tuple[Tensor, Tensor]:
    """Features and mean local deviation of every patch.

    Args:
        images: (n, 1, H, W), float64, from 0 to 255.
        patch: Side in pixels, even; what exceeds whole patches is cut off.

    Returns:
        (n, P, 432), 216 at full and 216 at half size, and (n, P).
    """
    height, width = (side - side % patch for side in images.shape[2:])
    images = images[:, :, :height, :width]
    fine, deviation = _features(images, patch, scale=1)
    coarse, _ = _features(_halved(images), patch // 2, scale=2)
    return torch.cat([fine, coarse], -1), patch_means(deviation, patch)[..., 0]


def _halved(images: Tensor) -> Tensor:
    wide = torch.nn.functional.pad(images, [2, 3, 2, 3], mode="replicate")
    return slide(wide, HALVING, step=2)


def _features(images: Tensor, patch: int, *, scale: int) -> tuple[Tensor, Tensor]:
    """216 numbers of every patch, and the map of local deviations."""
    normalised, deviation = contrast_normalised(images, width=WINDOW, edges="nearest")
    # Single precision, which is twice as fast, has digits enough for what has no mean.
    centred = (images - images.mean((2, 3), keepdim=True)).float()
    average = partial(patch_means, side=patch)
    means, log_means = [], []
    for maps in _maps(centred, scale):
        down, across = maps[:, -2:].split(1, 1)
        logs = (down * down + across * across).clamp_min(TINY).log() / 2
        means.append(one_sided_means(maps, average))
        log_means.append(torch.stack([average(logs), average(logs * logs)]))
    weibull = weibull_of(*torch.cat(log_means, -1))
    found = [
        patch_statistics(patches(normalised.float(), patch)),
        shapes_and_widths(asymmetric_of(torch.cat(means, -2))),
        torch.stack(weibull, -1).flatten(2),
    ]
    return torch.cat(found, -1).double(), deviation


def _maps(images: Tensor, scale: int) -> Iterator[Tensor]:
    """Slopes of images without a mean, then every wave with its slopes.

    Yields:
        (n, 2, H, W), then (n, 3, H, W, 2) with the response first and real and imaginary part
        side by side.
    """
    yield torch.cat(_slopes(images, scale), 1)
    spectrum = torch.fft.fft2(images)
    for filters in _bank(images.shape[2], images.shape[3], scale, images.device):
        yield torch.view_as_real(torch.fft.ifft2(spectrum * filters))


def _slopes(images: Tensor, scale: int) -> tuple[Tensor, Tensor]:
    """Gaussian derivatives down and across; beyond the border the image is mirrored."""
    smooth, slope = _derivative(scale)
    down = slide_along(slide_along(images, slope, 2, edges="mirror"), smooth, 3, edges="mirror")
    across = slide_along(slide_along(images, smooth, 2, edges="mirror"), slope, 3, edges="mirror")
    return down, across


def _derivative(scale: int) -> tuple[Tensor, Tensor]:
    """Taps of a Gaussian and of its slope, as the authors leave them: not of sum 1."""
    sigma = DERIVATIVE_SIGMA / scale**DERIVATIVE_POWER
    reach = math.ceil(3 * sigma)
    at = torch.arange(-reach, reach + 1, dtype=torch.float64)
    smooth = torch.exp(-(at**2) / (2 * sigma**2))
    return smooth, at * smooth


@lru_cache(maxsize=8)
def _bank(height: int, width: int, scale: int, device: torch.device) -> Tensor:
    """Log-Gabor filters, alone and with the slopes down and across.

    Returns:
        (waves * orientations, 3, height, width), complex64.
    """
    with torch.inference_mode(False), torch.no_grad():
        down, across = frequency_grid(height, width, device)
        radius, angle = torch.hypot(down, across), torch.atan2(-down, across)
        shortest = SHORTEST_WAVE / scale**WAVE_POWER
        bands = [
            low_pass(radius) * log_gabor(radius, 1 / (shortest * WAVE_FACTOR**i), LOG_WIDTH)
            for i in range(N_WAVES)
        ]
        fans = torch.stack(
            [angular_fan(angle, o, N_ORIENTATIONS, SPREAD) for o in range(N_ORIENTATIONS)]
        )
        smooth, slope = _derivative(scale)
        rows = [_response(taps, height, device)[:, None] for taps in (smooth, slope)]
        columns = [_response(taps, width, device) for taps in (smooth, slope)]
        slopes = [torch.ones_like(radius), rows[1] * columns[0], rows[0] * columns[1]]
        waves = torch.stack(bands)[:, None] * fans
        return (waves.flatten(0, 1)[:, None] * torch.stack(slopes)).to(torch.complex64)


def _response(taps: Tensor, side: int, device: torch.device) -> Tensor:
    """Transfer function of centred taps along an axis."""
    reach = len(taps) // 2
    at = (torch.arange(-reach, reach + 1) % side).to(device)
    line = torch.zeros(side, dtype=torch.float64, device=device)
    response: Tensor = torch.fft.fft(line.index_add(0, at, taps.to(device)))
    return response
