"""``Calibration``: from how far samples differ to how far off their mean is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from isocenter.errors import BadCheckpoint
from isocenter.ops.filters import gaussian_blur

__all__ = ["UNCALIBRATED", "Calibration", "smoothed"]

UNCALIBRATED = (
    "the standard deviation is how far the samples differ: this prior was never calibrated, and "
    "errors can be several times as large"
)


@dataclass(frozen=True)
class Calibration:
    """``deviation^2 = a (R - 1) * smoothed variance of the samples + c * noise of the data^2``.

    Samples follow one set of data from one SENSE image on, so that they share most of their
    error, and the more of it the fewer data there are: by a factor that was found to go with
    ``R - 1``, the places that are missing for every one that was measured.  But where they differ
    the error is.  A pair tells of a single pixel hardly more than the square of one draw does,
    hence the smoothing.  Of what is measured in full the noise is left, which no two samples
    show.  Two factors, fitted on people whom the prior has not learned from, for images of any
    brightness and any mask.
    """

    width: float
    """Standard deviation of the smoothing, in pixels."""
    of_samples: float
    """``a``."""
    of_noise: float
    """``c``."""
    intervals: Mapping[str, float] = field(default_factory=dict)
    """By the part of all errors that are to lie within, such as "0.9": so many deviations."""
    found_on: str = ""
    """People, masks and settings, in words."""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Calibration | None":
        """As it stands in a checkpoint; ``None`` where there is none.

        Raises:
            BadCheckpoint: Words that this version does not know, or factors below 0.
        """
        if not values:
            return None
        try:
            found = cls(**values)
            numbers = (found.width, found.of_samples, found.of_noise, *found.intervals.values())
            good = found.width > 0 and all(float(number) >= 0 for number in numbers)
        except (TypeError, ValueError, AttributeError):
            good = False
        if not good:
            raise BadCheckpoint(
                f"the prior's deviation is calibrated as {dict(values)}, which this version does "
                "not know: load it with the version that wrote it"
            )
        return found

    def __call__(
        self,
        variance: Float[Tensor, "one y x"],
        sigma: float,
        acceleration: float,
        support: Bool[Tensor, "one y x"],
    ) -> Float[Tensor, "one y x"]:
        """Standard deviation of the error of the magnitude.

        Args:
            variance: Of the samples, in the prior's units.
            sigma: Noise of the data, of real and imaginary part.
            acceleration: ``R``, the true one.
            support: Where the samples can differ at all.
        """
        around = smoothed(variance, support, self.width)
        factor = self.of_samples * max(acceleration - 1, 0.0)
        found: Tensor = (factor * around + self.of_noise * sigma**2).sqrt()
        return found

    def said(self) -> str:
        """In a sentence."""
        within = ", ".join(
            f"{100 * float(part):.0f} % within {factor:.2f}"
            for part, factor in sorted(self.intervals.items())
        )
        return (
            f"the standard deviation is calibrated on {self.found_on}; errors there: {within} "
            "deviations. It does not tell what the prior has never seen"
        )


def smoothed(
    values: Float[Tensor, "one y x"], support: Bool[Tensor, "one y x"], width: float
) -> Float[Tensor, "one y x"]:
    """Mean by a Gaussian of what lies on a support; 0 beside it."""
    on = support.to(torch.float32)
    sums, weights = (gaussian_blur(part, (0, width, width)) for part in (values * on, on))
    return on * sums / weights.clamp_min(1e-6)
