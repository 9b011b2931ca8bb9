"""Brightness on a common scale, by landmarks of the histogram."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from isocenter.data.shapes import Image3, Mask3
from isocenter.errors import BadVolume

__all__ = ["IntensityScale", "fit_scale"]

PERCENTILES = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)
LOW, HIGH = 1.0, 100.0


@dataclass(frozen=True)
class IntensityScale:
    """Landmarks of the standard scale: where the percentiles 1, 10, 20, ..., 90, 99 go.

    Nyúl, Udupa and Zhang, IEEE TMI 19(2), 2000, doi:10.1109/42.836373.
    """

    landmarks: tuple[float, ...]
    """Eleven rising numbers."""

    def __call__(self, data: Image3, mask: Mask3 | None = None) -> Image3:
        """The image on the standard scale: linear between landmarks and beyond them.

        Args:
            data: Image (x, y, z), any units.
            mask: Whose percentiles count; what is above the image's mean, if not given.

        Raises:
            BadVolume: The image's own landmarks do not rise: it is constant, or nearly so.
        """
        own = _landmarks(data, mask)
        values = _piecewise(data.double().numpy(), own, np.array(self.landmarks))
        return torch.from_numpy(values.astype(np.float32))

    def back(self, data: Image3, own: Sequence[float]) -> Image3:
        """From the standard scale to that of an image with the landmarks ``own``."""
        values = _piecewise(data.double().numpy(), np.array(self.landmarks), np.array(own))
        return torch.from_numpy(values.astype(np.float32))


def fit_scale(images: Sequence[Image3], masks: Sequence[Mask3] | None = None) -> IntensityScale:
    """The standard scale of some images: each mapped to 1 ... 100, then the mean of landmarks.

    Args:
        images: At least one.
        masks: Of the same shapes; what is above each image's mean, if not given.
    """
    chosen: Sequence[Mask3 | None] = masks if masks is not None else [None] * len(images)
    rows = []
    for image, mask in zip(images, chosen, strict=True):
        own = _landmarks(image, mask)
        rows.append(LOW + (own - own[0]) * (HIGH - LOW) / (own[-1] - own[0]))
    return IntensityScale(tuple(np.mean(rows, axis=0).tolist()))


def _landmarks(data: Image3, mask: Mask3 | None) -> npt.NDArray[np.float64]:
    foreground = data[data > data.mean()] if mask is None else data[mask]
    if foreground.numel() == 0:
        raise BadVolume("constant image: its brightness cannot be put on a scale")
    own = np.percentile(foreground.double().numpy(), PERCENTILES)
    if not np.all(np.diff(own) > 0):
        raise BadVolume("too few different values: its brightness cannot be put on a scale")
    return np.asarray(own)


def _piecewise(
    values: npt.NDArray[np.float64],
    source: npt.NDArray[np.float64],
    target: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    piece = np.clip(np.searchsorted(source, values, side="right") - 1, 0, len(source) - 2)
    slope = np.diff(target) / np.diff(source)
    return np.asarray(target[piece] + (values - source[piece]) * slope[piece])
