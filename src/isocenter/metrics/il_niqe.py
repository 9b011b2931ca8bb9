"""IL-NIQE: NIQE with gradients and log-Gabor waves, judged patch by patch."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional
from torch import Tensor

from isocenter.data.checkpoint import Checkpoint
from isocenter.errors import UsageError
from isocenter.metrics._natural_scene import (
    Pristine,
    load_fitted,
    mean_and_covariance,
    pack,
    patch_statistics,
    score_alone,
    shapes_and_widths,
    sharp_patches,
)
from isocenter.ops.natural_scene import contrast_normalised, fit_weibull, patches
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
        _, covariance, counted = mean_and_covariance(components)
        distances = space.pristine.distances(components, covariance)
        total = torch.where(counted, distances, 0).sum(1)
        return total / counted.sum(1)

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
    variance = space.pristine.covariance.diagonal()
    arrays = {"centre": space.centre, "axes": space.axes, "variance": variance}
    return pack("il_niqe", {"patch": patch, "kept": kept}, arrays, card)


@dataclass(frozen=True, eq=False)
class _Space:
    """Principal components of undistorted patches, and their spread along them."""

    centre: Tensor
    """(k,)."""
    axes: Tensor
    """(k, d), for features less the centre."""
    pristine: Pristine

    @classmethod
    def of(cls, features: Tensor, kept: float) -> "_Space":
        features = features[features.isfinite().all(-1)].double()
        if len(features) < features.shape[-1]:
            raise UsageError(
                f"a model of {features.shape[-1]} features needs as many sharp patches; "
                f"got {len(features)}: give more images"
            )
        centre, scale = features.mean(0), features.std(0)
        values, vectors = torch.linalg.eigh(torch.cov(((features - centre) / scale).T))
        strongest = slice(len(values) - int(kept * len(values)), None)
        covariance = torch.diag(values[strongest])
        axes = vectors[:, strongest] / scale[:, None]
        return cls(centre, axes, Pristine(torch.zeros(len(covariance)).double(), covariance))

    @classmethod
    def stored(cls, checkpoint: Checkpoint) -> "_Space":
        centre, axes, variance = (
            checkpoint.fitted(name).double() for name in ("centre", "axes", "variance")
        )
        return cls(centre, axes, Pristine(torch.zeros_like(variance), torch.diag(variance)))

    def components(self, features: Tensor) -> Tensor:
        return (features - self.centre.to(features)) @ self.axes.to(features)


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
    return torch.cat([fine, coarse], -1), patches(deviation, patch).mean((2, 3, 4))


def _halved(images: Tensor) -> Tensor:
    wide = torch.nn.functional.pad(images, [2, 3, 2, 3], mode="replicate")
    return slide(wide, HALVING, step=2)


def _features(images: Tensor, patch: int, *, scale: int) -> tuple[Tensor, Tensor]:
    """216 numbers of every patch, and the map of local deviations."""
    normalised, deviation = contrast_normalised(images, width=WINDOW, edges="nearest")
    found = [
        patch_statistics(patches(normalised, patch)),
        *_slope_statistics(*_slopes(images, scale), patch),
    ]
    # Single precision, which is twice as fast, has digits enough for waves without a mean.
    spectrum = torch.fft.fft2((images - images.mean((2, 3), keepdim=True)).float())
    for filters in _bank(images.shape[2], images.shape[3], scale, images.device):
        waves = torch.fft.ifft2(spectrum[:, :, None] * filters)
        response, down, across = torch.cat([waves.real, waves.imag], 2).unbind(1)
        found += [shapes_and_widths(patches(response, patch))]
        found += _slope_statistics(down, across, patch)
    return torch.cat(found, -1), deviation


def _slope_statistics(down: Tensor, across: Tensor, patch: int) -> list[Tensor]:
    """Of both slopes of every map (n, C, H, W), and of their magnitude."""
    slopes = patches(torch.cat([down, across], 1), patch)
    logs = (down * down + across * across).clamp_min(TINY).log() / 2
    weibull = fit_weibull(patches(logs, patch).flatten(3))
    return [shapes_and_widths(slopes), torch.stack(weibull, -1).flatten(2)]


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
        (waves, 3, orientations, height, width), complex64.
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
        filters = torch.stack(bands)[:, None, None] * torch.stack(slopes)[:, None] * fans
        return filters.to(torch.complex64)


def _response(taps: Tensor, side: int, device: torch.device) -> Tensor:
    """Transfer function of centred taps along an axis."""
    reach = len(taps) // 2
    at = (torch.arange(-reach, reach + 1) % side).to(device)
    line = torch.zeros(side, dtype=torch.float64, device=device)
    response: Tensor = torch.fft.fft(line.index_add(0, at, taps.to(device)))
    return response
