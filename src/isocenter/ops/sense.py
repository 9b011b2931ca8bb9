"""``Sense``: from an image to the measured k-space of several coils."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Complex
from torch import Tensor

from isocenter.ops.coils import combine, expand
from isocenter.ops.fourier import fft, ifft
from isocenter.ops.operator import LinearOperator

__all__ = ["Sense"]

PLANE = (-2, -1)
BLOCK = 2**17
"""Values of all coils worked on at once on a CPU: they stay in its cache."""


@dataclass(frozen=True, eq=False)
class Sense(LinearOperator):
    """``A = M F S``: weigh with coil maps, transform, keep what was measured.

    Pruessmann et al., Magn. Reson. Med. 42(5), 1999; several sets of maps as in Uecker et al.,
    Magn. Reson. Med. 71(3), 2014, doi:10.1002/mrm.24751.  With maps whose squared magnitudes
    sum to at most 1, the eigenvalues of ``A^H A`` lie in [0, 1].

    Images are (..., set, y, x) and k-space is (..., coil, y, x); leading axes, such as slices
    or samples, are those of maps and mask or broadcast against them.
    """

    maps: Complex[Tensor, "*batch set coil y x"]
    mask: Bool[Tensor, "*masks y x"]

    def __call__(self, x: Complex[Tensor, "*b set y x"]) -> Complex[Tensor, "*b coil y x"]:
        return fft(expand(x, self.maps), PLANE) * self.mask.unsqueeze(-3)

    def adjoint(self, y: Complex[Tensor, "*b coil y x"]) -> Complex[Tensor, "*b set y x"]:
        return combine(ifft(y * self.mask.unsqueeze(-3), PLANE), self.maps)

    def normal(self, x: Complex[Tensor, "*b set y x"]) -> Complex[Tensor, "*b set y x"]:
        """``A^H A x`` without centring, and without the transform along fully measured lines.

        ``F^H M F`` is a circular convolution, which is the same wherever the origin stands;
        along an axis on which M does not depend, F^H and F cancel, and its lines go their own ways.
        """
        axes, weights = self._convolution
        apart = [axis for axis in PLANE if axis not in axes]
        if x.device.type != "cpu" or not apart:
            return _convolve(x, self.maps, self._conjugate, axes, weights)
        n_values = x.numel() // x.shape[-3] * self.maps.shape[-3]
        lines = max(1, BLOCK * x.shape[apart[0]] // n_values)
        maps, conjugate = self.maps.split(lines, apart[0]), self._conjugate.split(lines, apart[0])
        blocks = [
            _convolve(part, *coils, axes, weights)
            for part, coils in zip(
                x.split(lines, apart[0]), zip(maps, conjugate, strict=True), strict=True
            )
        ]
        return torch.cat(blocks, apart[0])

    @cached_property
    def _conjugate(self) -> Tensor:
        return self.maps.conj().resolve_conj()

    @cached_property
    def _convolution(self) -> tuple[tuple[int, ...], Tensor]:
        """Axes along which the mask varies, and the mask on them, uncentred."""
        axes = tuple(axis for axis in PLANE if _varies(self.mask, axis))
        mask = self.mask
        for axis in set(PLANE) - set(axes):
            mask = mask.narrow(axis, 0, 1)
        weights = torch.fft.ifftshift(mask, dim=PLANE).unsqueeze(-3)
        return axes, weights.to(self.maps.real.dtype)


def _convolve(
    x: Tensor, maps: Tensor, conjugate: Tensor, axes: tuple[int, ...], weights: Tensor
) -> Tensor:
    coils = expand(x, maps)
    if axes:
        coils = torch.fft.ifftn(torch.fft.fftn(coils, dim=axes).mul_(weights), dim=axes)
    else:
        coils = coils * weights
    return (conjugate * coils.unsqueeze(-4)).sum(-3)


def _varies(mask: Bool[Tensor, "*masks y x"], axis: int) -> bool:
    return bool((mask != mask.narrow(axis, 0, 1)).any())
