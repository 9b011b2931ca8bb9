r"""What a coil's k-space is made of: weights of its neighbourhood in all coils.

A place of one coil is a weighted sum of places around it in all coils, with the same weights
everywhere (Griswold et al., Magn. Reson. Med. 47(6), 2002, doi:10.1002/mrm.10171).  The weights
come from the fully measured centre: with the windows of a calibration block as rows of a matrix
and :math:`G = W^H W`, the least squares from sources s to targets t solve
:math:`(G_{ss} + \lambda I) w = G_{st}`.
"""

import torch
from jaxtyping import Bool, Complex
from torch import Tensor

from isocenter.ops.noise_covariance import noise_level

__all__ = [
    "calibration_block",
    "noise_to_signal",
    "solve_kernels",
    "window_products",
    "windows",
]


MOST = 1e-3
"""Less signal over noise than this is not told from none."""


def calibration_block(
    kspace: Complex[Tensor, "coil y x"], mask: Bool[Tensor, "y x"], acs: tuple[int, int]
) -> Complex[Tensor, "coil rows columns"]:
    """The part of k-space that holds the ACS, without a place that was not measured.

    Args:
        kspace: One slice.
        mask: True where measured.
        acs: Rows and columns around the centre, as ``Mask.acs`` tells.
    """
    rows, columns = (_run(*sides) for sides in zip(mask.shape, acs, strict=True))
    # A centre that reaches farther to one side is cut along the axis on which it ends.
    fewer_columns = _overlap(columns, mask[rows].all(0))
    fewer_rows = _overlap(rows, mask[:, columns].all(1))
    blocks = [kspace[:, rows, fewer_columns], kspace[:, fewer_rows, columns]]
    return max(blocks, key=lambda block: block.numel())


def windows(
    block: Complex[Tensor, "coil rows columns"], height: int, width: int
) -> Complex[Tensor, "window coil height width"]:
    """Every window that lies inside the block."""
    views = block.unfold(1, height, 1).unfold(2, width, 1)
    return views.permute(1, 2, 0, 3, 4).flatten(0, 1)


def window_products(
    block: Complex[Tensor, "coil rows columns"], height: int, width: int
) -> Complex[Tensor, "values values"]:
    """``G = W^H W`` in double precision; a window's values count coil, row, column."""
    rows = windows(block, height, width).flatten(1).to(torch.complex128)
    return rows.mH @ rows


def solve_kernels(
    sources: Complex[Tensor, "*batch s s"], targets: Complex[Tensor, "*batch s t"], weight: float
) -> Complex[Tensor, "*batch s t"]:
    """Weights of the sources for every target.

    Args:
        sources: ``G_ss``.
        targets: ``G_st``.
        weight: Tikhonov's, over the mean energy of a source: noise over signal of the places
            that the kernels will be applied to, less that of the calibration data.
    """
    size = sources.diagonal(dim1=-2, dim2=-1).real.mean(-1)
    # A block of zeros has no scale: any ridge then gives weights of 0.
    ridge = (weight * size).clamp(min=torch.finfo(size.dtype).tiny)
    identity = torch.eye(sources.shape[-1], dtype=sources.dtype, device=sources.device)
    weights: Tensor = torch.linalg.solve(sources + ridge[..., None, None] * identity, targets)
    return weights


def noise_to_signal(
    kspace: Complex[Tensor, "coil y x"], mask: Bool[Tensor, "y x"], block_shape: tuple[int, int]
) -> float:
    """Energy of noise over that of signal, where k-space was measured outside of its centre.

    Calibration data hold far more signal than the places that kernels are made for; with this
    as ``weight`` kernels are those of least mean squared error there, and not in the centre.

    Args:
        kspace: One slice.
        mask: True where measured.
        block_shape: Rows and columns of the calibration block, around the centre.

    Returns:
        0 without noise or without such places, at most 1000.
    """
    outer = mask.clone()
    rows, columns = (_run(*sides) for sides in zip(mask.shape, block_shape, strict=True))
    outer[rows, columns] = False
    noise = 2 * float(noise_level(kspace[None], mask[None])) ** 2
    if noise == 0 or not bool(outer.any()):
        return 0.0
    signal = float(kspace[:, outer].abs().square().mean()) - noise
    return noise / max(signal, MOST * noise)


def _run(length: int, n: int) -> slice:
    start = length // 2 - n // 2
    return slice(start, start + n)


def _overlap(block: slice, measured: Bool[Tensor, " n"]) -> slice:
    """The part of a block that lies in the run of true values around the centre."""
    centre = len(measured) // 2
    missing = (~measured).nonzero().flatten().tolist()
    first = max((place + 1 for place in missing if place <= centre), default=0)
    last = min((place for place in missing if place > centre), default=len(measured))
    return slice(max(block.start, first), min(block.stop, last))
