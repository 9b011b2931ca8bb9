"""SPIRiT: k-space that agrees with itself."""

from dataclasses import dataclass

import torch
from torch import Tensor

from isocenter.data.kspace import KSpace
from isocenter.ops.solvers import conjugate_gradient
from isocenter.ops.spirit import consistency
from isocenter.restorers._autocalibrated import check_side, kernel_weight, restore_filled
from isocenter.restorers._restored import Progress, Restored

__all__ = ["NEEDS_MAPS", "Options", "reconstruct"]

NEEDS_MAPS = False


@dataclass(frozen=True)
class Options:
    """How large kernels are, and how long agreement is sought."""

    side: int = 5
    """Of the kernels."""
    weight: float | None = None
    """Tikhonov's, over the mean energy of a kernel's sources; if not given, noise over signal
    outside of the centre, at least 0.001."""
    n_iterations: int = 15
    """At most; fewer hold noise back."""
    tolerance: float = 1e-4
    """Enough once the residual is this part of what it was at the start."""


def reconstruct(
    kspace: KSpace, options: Options, *, rng: torch.Generator, progress: Progress | None
) -> Restored:
    """The least ``|(G - 1) x|^2`` over what was not measured, by conjugate gradients.

    Lustig and Pauly, Magn. Reson. Med. 64(2), 2010, doi:10.1002/mrm.22428, with the measured
    places kept as they are.  Takes every mask with a full centre.

    Raises:
        BadKSpace: One coil, or a centre smaller than a kernel.
        UsageError: An even side.
    """
    check_side(options.side, "side")

    def fill(data: Tensor, mask: Tensor, block: Tensor) -> tuple[Tensor, int]:
        weight = kernel_weight(options.weight, data, mask, block)
        agreement = consistency(block, kspace.grid, side=options.side, weight=weight)
        right = -agreement.missing(data, mask)
        missing = conjugate_gradient(
            lambda x: agreement.missing(x[0], mask)[None],
            right[None],
            n_iterations=options.n_iterations,
            tolerance=options.tolerance,
        )
        return data + missing[0], 0

    return restore_filled(
        kspace,
        fill,
        progress,
        name="spirit",
        least=(options.side, options.side),
    )
