"""What iterative restorers share: one slice after another, its scale, and its residual."""

from collections.abc import Callable

import torch
from jaxtyping import Complex
from torch import Tensor

from isocenter.data.kspace import KSpace
from isocenter.data.shapes import Slices3
from isocenter.data.step import JSON
from isocenter.errors import BadKSpace
from isocenter.ops.noise_covariance import noise_level
from isocenter.ops.sense import Sense
from isocenter.restorers._restored import Progress, Restored

__all__ = ["SlicePlan", "restore_slices"]

BRIGHT = 0.99
"""A slice's scale is this quantile of its zero-filled magnitude: bright tissue, and no spike."""


class SlicePlan:
    """One slice, scaled so that bright tissue is about 1: weights then mean the same everywhere.

    Raises:
        BadKSpace: Its k-space has no maps.
    """

    def __init__(self, kspace: KSpace) -> None:
        if kspace.maps is None:
            raise BadKSpace("this method needs coil maps: iso.restore finds them, or give some")
        self.operator = Sense(kspace.maps, kspace.mask.places)
        zero_filled = self.operator.adjoint(kspace.data)
        magnitude = _sets_together(zero_filled).abs()
        self.scale = float(torch.quantile(magnitude.flatten(), BRIGHT)) or 1.0
        self.zero_filled: Complex[Tensor, "one set y x"] = zero_filled / self.scale
        """``A^H y``."""
        self.noise = float(noise_level(kspace.data, kspace.mask.places)) / self.scale
        """Standard deviation of real and of imaginary part, over the brightness."""

    def weight(self, given: float | None, per_noise: float, least: float) -> float:
        """A regulariser's weight: the given one, else in proportion to the noise."""
        return max(per_noise * self.noise, least) if given is None else given

    @property
    def largest_eigenvalue(self) -> float:
        """An upper bound of that of ``A^H A``; 1 with maps that were normalised."""
        return max(float(self.operator.maps.abs().square().sum((-4, -3)).max()), 1e-12)

    def gradient(self, x: Complex[Tensor, "one set y x"]) -> Complex[Tensor, "one set y x"]:
        """Of ``|A x - y|^2 / 2``."""
        return self.operator.normal(x) - self.zero_filled


def restore_slices(
    kspace: KSpace,
    solve: Callable[[SlicePlan], Complex[Tensor, "one set y x"]],
    progress: Progress | None,
    weigh: Callable[[SlicePlan], float] | None = None,
) -> Restored:
    """Solve every slice by itself, so that none depends on its neighbours.

    Args:
        kspace: With maps.
        solve: From a slice to its image.
        progress: Told of every slice.
        weigh: The weight that ``solve`` uses, for the facts.
    """
    images, residuals, scales, weights = [], [], [], []
    for index in range(kspace.n_slices):
        single = kspace.slices(slice(index, index + 1))
        plan = SlicePlan(single)
        image = solve(plan) * plan.scale
        residuals.append(_residual(plan.operator, image, single.data))
        scales.append(plan.scale)
        weights.append(weigh(plan) if weigh is not None else 0.0)
        images.append(_sets_together(image))
        if progress is not None:
            progress(index + 1, kspace.n_slices)
    facts: dict[str, JSON] = {"scale": [*scales], "data_residual": [*residuals]}
    if weigh is not None:
        facts["weight"] = [*weights]
    return Restored(torch.cat(images), facts=facts)


def _sets_together(image: Complex[Tensor, "slice set y x"]) -> Slices3:
    """One image of all sets of maps: their magnitudes together, the phase of the first."""
    if image.shape[1] == 1:
        return image[:, 0]
    magnitude = torch.linalg.vector_norm(image, dim=1)
    return torch.polar(magnitude, image[:, 0].angle())


def _residual(operator: Sense, image: Tensor, data: Tensor) -> float:
    """``|A x - y| / |y|``: what of the measurement the image does not explain."""
    size = float(torch.linalg.vector_norm(data))
    return float(torch.linalg.vector_norm(operator(image) - data)) / size if size else 0.0
