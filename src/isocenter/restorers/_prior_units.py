"""``Measured``: k-space of one slice in the units that a prior was trained in."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Complex
from torch import Tensor

from isocenter.data.kspace import KSpace
from isocenter.diffusion.guidance import Data
from isocenter.diffusion.projector import HighFrequencies, Projector, Whole, low_columns, low_square
from isocenter.errors import BadKSpace
from isocenter.ops.noise_covariance import noise_level
from isocenter.ops.sense import Sense
from isocenter.ops.solvers import conjugate_gradient

__all__ = ["Measured", "Units", "diffused_part"]

KEPT = 16
"""Lines that the published method keeps, of 24 that are fully measured."""


@dataclass(frozen=True)
class Units:
    """How bright an image is where a prior was trained."""

    quantile: float = 0.995
    brightness: float = 0.9
    """Value of that quantile of the magnitude of ``A^H y``."""


@dataclass(frozen=True, eq=False)
class Measured:
    """One slice; what it was scaled by was found in the measured data alone.

    Maps whose squares sum to 1 make ``A^H y``, and so the scale, independent of the number of
    coils.
    """

    operator: Sense
    kspace: Complex[Tensor, "one coil y x"]
    scale: float
    """Times this, images are in the units of the k-space that was given."""
    sigma: float
    """Noise of the real and of the imaginary part, in the prior's units."""

    @classmethod
    def of(cls, kspace: KSpace, units: Units) -> "Measured":
        """Of k-space with one slice.

        Raises:
            BadKSpace: No coil maps, or several sets of them.
        """
        if kspace.maps is None or kspace.maps.shape[1] != 1:
            n_sets = 0 if kspace.maps is None else kspace.maps.shape[1]
            raise BadKSpace(f"hfs_sde takes one set of coil maps, got {n_sets}: give one set")
        operator = Sense(kspace.maps, kspace.mask.places)
        magnitude = operator.adjoint(kspace.data).abs().flatten()
        rank = min(int(units.quantile * magnitude.numel()), magnitude.numel() - 1)
        bright = float(magnitude.kthvalue(rank + 1).values)
        scale = bright / units.brightness or 1.0
        sigma = float(noise_level(kspace.data, kspace.mask.places)[0]) / scale
        return cls(operator, kspace.data / scale, scale, sigma)

    @property
    def support(self) -> Bool[Tensor, "one y x"]:
        """Where any coil sees anything."""
        return (self.operator.maps != 0).any(-3)[:, 0]

    def back_projected(self) -> Complex[Tensor, "one y x"]:
        """``A^H y``."""
        return self.operator.adjoint(self.kspace)[:, 0]

    def low(self, projector: HighFrequencies) -> Complex[Tensor, "one y x"]:
        """Coil-combined image of the kept low frequencies alone."""
        return self.operator.adjoint(self.kspace * projector.kept.to(self.kspace.device))[:, 0]

    def data(self, n_items: int) -> Data:
        """The same measurement for every item of a batch."""
        return Data(self._normal, self.back_projected().expand(n_items, -1, -1))

    def sense(self, *, weight: float = 1e-3, n_iterations: int = 15) -> Complex[Tensor, "one y x"]:
        """Regularised least squares: where sampling starts."""
        return conjugate_gradient(
            lambda x: self._normal(x) + weight * x,
            self.back_projected(),
            n_iterations=n_iterations,
        )

    def residual(self, image: Complex[Tensor, "one y x"]) -> float:
        """``|A x - y| / |y|``."""
        missed = torch.linalg.vector_norm(self.operator(image[:, None]) - self.kspace)
        return float(missed / torch.linalg.vector_norm(self.kspace).clamp_min(1e-30))

    def _normal(self, x: Complex[Tensor, "b y x"]) -> Complex[Tensor, "b y x"]:
        return self.operator.normal(x[:, None])[:, 0]


def diffused_part(kspace: KSpace) -> tuple[Projector, int | None]:
    """All but the inner two thirds of the fully measured centre, and how many columns are kept.

    The whole image where hardly anything was fully measured. A width is for priors that know
    noise in columns; where a block is kept, there is none.
    """
    rows, columns = kspace.mask.acs
    width = min(KEPT, 2 * min(rows, columns) // 3)
    if width < 2:
        return Whole(), None
    if rows == kspace.grid[0]:
        return low_columns(kspace.grid, width), width
    return low_square(kspace.grid, width), None
