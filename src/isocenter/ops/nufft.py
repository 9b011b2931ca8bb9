"""``NonUniformSense``: from an image to k-space of several coils at any places."""

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import ModuleType

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from isocenter.errors import MissingExtra
from isocenter.ops.coils import combine, expand
from isocenter.ops.operator import LinearOperator

__all__ = ["NonUniformSense", "density_compensation"]

PRECISION = {torch.complex64: 1e-6, torch.complex128: 1e-12}
"""Relative error of the transform."""

Places = Float[Tensor, "sample 2"]
"""Where k-space was measured: rows and columns in cycles over the field of view, 0 the centre; a
Cartesian place of index ``i`` among ``n`` is ``i - n // 2``."""


@dataclass(frozen=True, eq=False)
class NonUniformSense(LinearOperator):
    """``A = F S`` with a Fourier transform to places off the grid, scaled as on the grid.

    Fessler and Sutton, IEEE Trans. Signal Process. 51(2), 2003, doi:10.1109/TSP.2002.807005; the
    transform is that of Barnett et al., SIAM J. Sci. Comput. 41(5), 2019,
    doi:10.1137/18M120885X. It runs on the CPU wherever the tensors are.

    Images are (..., set, y, x) and k-space is (..., coil, sample).

    Raises:
        MissingExtra: finufft is not installed; when first applied.
    """

    maps: Complex[Tensor, "*batch set coil y x"]
    places: Places

    def __call__(self, x: Complex[Tensor, "*b set y x"]) -> Complex[Tensor, "*b coil sample"]:
        coils = expand(x, self.maps)
        return _to_places(coils, self._angles)

    def adjoint(self, y: Complex[Tensor, "*b coil sample"]) -> Complex[Tensor, "*b set y x"]:
        return combine(_to_grid(y, self._angles, self._grid), self.maps)

    @property
    def _grid(self) -> tuple[int, int]:
        return self.maps.shape[-2], self.maps.shape[-1]

    @cached_property
    def _angles(self) -> Float[Tensor, "2 sample"]:
        return _angles(self.places, self._grid, self.maps.dtype)


def density_compensation(
    places: Places, grid: tuple[int, int], *, n_iterations: int = 10
) -> Float[Tensor, " sample"]:
    """Weights by which samples that lie close together count less.

    ``w <- w / (C w)`` of Pipe and Menon, Magn. Reson. Med. 41(1), 1999,
    doi:10.1002/(SICI)1522-2594(199901)41:1<179::AID-MRM25>3.0.CO;2-V, where the convolution C is
    made in the image: a triangle of twice the field of view there is a kernel that is nowhere
    negative, and 0 at all other places of the grid.

    Args:
        places: Of the samples.
        grid: Rows and columns of the image.
        n_iterations: Corrections made.

    Returns:
        Weights, 1 for a fully measured grid; samples of one place share its weight. Off the grid
        their common scale may be a tenth off.

    Raises:
        MissingExtra: finufft is not installed.
    """
    angles = _angles(places, grid, torch.complex64)
    twice = (2 * grid[0], 2 * grid[1])
    down, across = (2 - (torch.arange(-n, n) / (n / 2)).abs() for n in grid)
    triangle = down[:, None] * across
    weights = torch.ones(1, len(places), dtype=torch.complex64)
    for _ in range(n_iterations):
        image = _to_grid(weights, angles, twice) * triangle
        weights = weights / _to_places(image, angles).abs().clamp_min(1e-6)
    return weights[0].real.to(places.device)


def _angles(places: Tensor, grid: tuple[int, int], dtype: torch.dtype) -> Tensor:
    sides = torch.tensor(grid, dtype=torch.float64)
    turns = 2 * torch.pi * places.cpu().double() / sides
    return turns.T.to(dtype.to_real()).contiguous()


def _to_places(images: Tensor, angles: Tensor) -> Tensor:
    """(..., y, x) to (..., sample)."""
    stack = images.detach().cpu().flatten(0, -3).contiguous()
    values = _finufft().nufft2d2(
        *angles.numpy(), stack.numpy(), isign=-1, eps=PRECISION[stack.dtype]
    )
    scaled = torch.from_numpy(values).reshape(*images.shape[:-2], -1) / _root(images.shape[-2:])
    return scaled.to(images.device)


def _to_grid(samples: Tensor, angles: Tensor, grid: tuple[int, int]) -> Tensor:
    """(..., sample) to (..., y, x): the adjoint."""
    stack = samples.detach().cpu().flatten(0, -2).contiguous()
    images = _finufft().nufft2d1(
        *angles.numpy(), stack.numpy(), grid, isign=1, eps=PRECISION[stack.dtype]
    )
    scaled = torch.from_numpy(images).reshape(*samples.shape[:-1], *grid) / _root(grid)
    return scaled.to(samples.device)


def _root(grid: tuple[int, ...]) -> float:
    return float((grid[0] * grid[1]) ** 0.5)


def _finufft() -> ModuleType:
    try:
        return import_module("finufft")
    except ImportError:
        raise MissingExtra(
            "k-space off the grid needs the package finufft: pip install 'isocenter[nufft]'"
        ) from None
