"""``Sense``: from an image to the measured k-space of several coils."""

from dataclasses import dataclass

from jaxtyping import Bool, Complex
from torch import Tensor

from isocenter.ops.coils import combine, expand
from isocenter.ops.fourier import fft, ifft
from isocenter.ops.operator import LinearOperator

__all__ = ["Sense"]

PLANE = (-2, -1)


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
    mask: Bool[Tensor, "*batch y x"]

    def __call__(self, x: Complex[Tensor, "*b set y x"]) -> Complex[Tensor, "*b coil y x"]:
        return fft(expand(x, self.maps), PLANE) * self.mask.unsqueeze(-3)

    def adjoint(self, y: Complex[Tensor, "*b coil y x"]) -> Complex[Tensor, "*b set y x"]:
        return combine(ifft(y * self.mask.unsqueeze(-3), PLANE), self.maps)
