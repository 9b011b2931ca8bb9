"""SPIRiT: k-space of all coils that every neighbourhood of all coils agrees with."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Complex
from torch import Tensor

from isocenter.ops.autocalibration import solve_kernels, window_products
from isocenter.ops.fourier import fft, ifft

__all__ = ["Consistency", "consistency"]

PLANE = (-2, -1)


@dataclass(frozen=True, eq=False)
class Consistency:
    """``G - 1``, where G predicts every place of every coil from all coils around it.

    Lustig and Pauly, Magn. Reson. Med. 64(2), 2010, doi:10.1002/mrm.22428.  A convolution of
    k-space is a small matrix at every pixel of the coil images.
    """

    predictor: Complex[Tensor, "target source y x"]
    """G at every pixel."""

    @cached_property
    def disagreement(self) -> Complex[Tensor, "coil coil y x"]:
        """``(G - 1)^H (G - 1)`` at every pixel."""
        n_coils = len(self.predictor)
        identity = torch.eye(n_coils, dtype=self.predictor.dtype, device=self.predictor.device)
        difference = self.predictor - identity[:, :, None, None]
        return torch.stack(
            [(difference[:, [coil]].conj() * difference).sum(0) for coil in range(n_coils)]
        )

    def missing(
        self, x: Complex[Tensor, "coil y x"], mask: Bool[Tensor, "y x"]
    ) -> Complex[Tensor, "coil y x"]:
        """``(G - 1)^H (G - 1)`` of k-space, kept where nothing was measured."""
        images = ifft(x, PLANE)
        mixed = torch.stack([(row * images).sum(0) for row in self.disagreement])
        return fft(mixed, PLANE) * ~mask


def consistency(
    block: Complex[Tensor, "coil rows columns"], grid: tuple[int, int], *, side: int, weight: float
) -> Consistency:
    """Kernels of ``side`` x ``side`` x coils from calibration data, a place never telling itself.

    Args:
        block: Fully measured k-space around the centre, at least as large as the kernel.
        grid: Rows and columns of the whole k-space.
        side: Odd.
        weight: As of :func:`~isocenter.ops.autocalibration.solve_kernels`.
    """
    n_coils, area = len(block), side**2
    products = window_products(block, side, side)
    kernels = block.new_zeros(n_coils, n_coils * area)
    for coil in range(n_coils):
        centre = coil * area + area // 2
        others = [value for value in range(n_coils * area) if value != centre]
        sources = products[others][:, others]
        targets = products[others][:, [centre]]
        kernels[coil, others] = solve_kernels(sources, targets, weight)[:, 0].to(block.dtype)
    padded = block.new_zeros(n_coils, n_coils, *grid)
    top, left = (n // 2 - side // 2 for n in grid)
    shape = (n_coils, n_coils, side, side)
    padded[..., top : top + side, left : left + side] = kernels.view(shape)
    return Consistency(fft(padded, PLANE) * (grid[0] * grid[1]) ** 0.5)
