"""What a low-field scanner would have shown of a high-field scan."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from isocenter.artifacts import bias
from isocenter.artifacts._draw import integer
from isocenter.artifacts._normals import normals
from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume
from isocenter.errors import UsageError
from isocenter.ops.filters import gaussian_blur
from isocenter.ops.thick_slices import Acquisition, ThickSlices, thick_slices
from isocenter.ops.tissue import TissueMaps

__all__ = ["LowField", "coarse_affine", "low_field_scan", "noisy", "slice_axis"]

PURE = 0.9
"""Share of a tissue from which a thick voxel counts as pure."""
Order = Literal["physical", "published"]
Noise = Literal["gaussian", "rician"]


@dataclass(frozen=True, eq=False)
class LowField:
    """A simulated scan, and what made it."""

    scan: Volume
    """Thick slices, on a grid of their own."""
    clean: Image3
    """The same without noise; shaded where that was asked for."""
    sigma: float
    """Standard deviation of the noise, in the scan's units."""
    gains: tuple[float, float]
    """What white and grey matter were multiplied by."""
    linear: ThickSlices
    """The blur and decimation."""


def slice_axis(scan: Volume) -> int:
    """The axis across slices: that of the largest voxel side; of equal ones the last."""
    return max(range(3), key=lambda axis: (round(scan.spacing[axis], 3), axis))


def low_field_scan(
    scan: Volume,
    tissue: TissueMaps,
    acquisition: Acquisition,
    *,
    snr: tuple[float, float],
    reference: Literal["wm", "gm"],
    axis: int | None = None,
    noise: Noise = "gaussian",
    correlation: float = 0.0,
    shading: int = 0,
    order: Order = "physical",
    rng: torch.Generator,
) -> LowField:
    """Change the contrast, then blur, decimate, shade and add noise.

    Lin et al., Medical Image Analysis 87:102807, 2023, doi:10.1016/j.media.2023.102807.  The
    published order blurs image and tissue maps apart and multiplies them afterwards, which mixes
    voxels of two tissues wrongly, dims what is no tissue, and uses no weights where no thick
    voxel is pure; ``order="published"`` does so.

    Args:
        scan: High field, skull-stripped.
        tissue: On its grid.
        acquisition: Ratio, slice profile and the like.
        snr: Signal over noise of (white matter, grey matter) in a thick voxel.
        reference: The tissue whose brightness stays.
        axis: Across slices; that of the largest voxel side if not given.
        noise: ``"gaussian"`` (real, may be negative; as published) or ``"rician"``.
        correlation: Standard deviation in thick voxels of the noise's correlation in a slice.
        shading: Level of the artifact ``bias``, 0 to 4: the coil's, so that it dims no noise.
        order: See above.
        rng: Source of the shading and of the noise.

    Raises:
        UsageError: A tissue that is not there, or too few slices.
    """
    axis = slice_axis(scan) if axis is None else axis
    linear = thick_slices(scan.shape, axis, acquisition)
    means = [_mean_of(scan.data, share, linear) for share in (tissue.wm, tissue.gm)]
    of_reference = 0 if reference == "wm" else 1
    sigma = means[of_reference] / snr[of_reference]
    wm, gm = (value * sigma / mean for value, mean in zip(snr, means, strict=True))
    if order == "physical":
        changed = scan.data * (1 + (wm - 1) * tissue.wm + (gm - 1) * tissue.gm)
        clean = linear(changed)
    else:
        shares = [linear(one) for one in (tissue.wm, tissue.gm, tissue.csf)]
        clean = linear(scan.data) * (wm * shares[0] + gm * shares[1] + shares[2])
    made = Volume(clean, coarse_affine(scan.affine, axis, acquisition), scan.contrast, scan.history)
    if shading:
        made = replace(made, data=bias.apply(made, bias.draw(made, shading, rng=rng)))
    data = noisy(made.data, sigma, kind=noise, correlation=correlation, axis=axis, rng=rng)
    return LowField(replace(made, data=data), made.data, sigma, (wm, gm), linear)


def coarse_affine(affine: np.ndarray, axis: int, acquisition: Acquisition) -> np.ndarray:
    """Where the thick slices lie: the first one's centre is at ``acquisition.first``."""
    moved = affine.copy()
    moved[:3, 3] += acquisition.first * affine[:3, axis]
    moved[:3, axis] *= acquisition.ratio
    return moved


def noisy(
    clean: Image3,
    sigma: float,
    *,
    kind: Noise,
    correlation: float = 0.0,
    axis: int = 2,
    rng: torch.Generator,
) -> Image3:
    """Add noise of standard deviation ``sigma`` to every voxel, background too.

    Args:
        clean: Image (x, y, z).
        sigma: In the image's units, of one channel.
        kind: ``"gaussian"`` adds to the value, ``"rician"`` takes the magnitude of two channels.
        correlation: Standard deviation in voxels of a Gaussian that smooths the noise in slices.
        axis: Across slices.
        rng: Gives the number of the stream.
    """
    stream = integer(rng, 0, 2**53 - 1)
    n_channels = 2 if kind == "rician" else 1
    channels = normals(clean.numel(), sigma=sigma, stream=stream, n_channels=n_channels)
    fields = [channel.reshape(clean.shape).to(clean) for channel in channels]
    if correlation > 0:
        widths = [0.0 if one == axis else correlation for one in range(3)]
        fields = [_smoothed(field, widths, sigma) for field in fields]
    real = clean + fields[0]
    return torch.hypot(real, fields[1]) if kind == "rician" else real


def _smoothed(field: Image3, widths: list[float], sigma: float) -> Image3:
    smooth = gaussian_blur(field, widths)
    return smooth * (sigma / float(smooth.std()))


def _mean_of(data: Image3, share: Image3, linear: ThickSlices) -> float:
    """Brightness of a tissue in pure thick voxels; weighted by share where none is pure."""
    image, part = linear(data), linear(share)
    pure = part > PURE
    weights = pure.to(part.dtype) if bool(pure.any()) else part
    total = float(weights.sum())
    if not total > 0:
        raise UsageError("a tissue map is empty: give maps with grey and white matter")
    return float((image * weights).sum()) / total
