"""SENSE by conjugate gradients: least squares, held back where coils say little."""

from dataclasses import dataclass

import torch
from torch import Tensor

from isocenter.data.kspace import KSpace
from isocenter.ops.solvers import conjugate_gradient
from isocenter.restorers._by_slice import SlicePlan, restore_slices
from isocenter.restorers._restored import Progress, Restored

__all__ = ["NEEDS_MAPS", "Options", "reconstruct"]

NEEDS_MAPS = True

PER_NOISE, LEAST = 3.0, 1e-3
"""Chosen on simulated k-space of a person of the training side (sub-01; 8 coils, columns at R 3
and 4 and a Poisson disc at R 6, noise of 0.7 and 2.8 % of bright tissue)."""


@dataclass(frozen=True)
class Options:
    """How far to trust the data."""

    weight: float | None = None
    """Tikhonov's, as part of the largest eigenvalue that ``A^H A`` can have; if not given,
    3 times the noise over bright tissue, at least 0.001."""
    n_iterations: int = 30
    """At most."""
    tolerance: float = 1e-5
    """Enough once the residual is this part of ``A^H y``."""


def reconstruct(
    kspace: KSpace, options: Options, *, rng: torch.Generator, progress: Progress | None
) -> Restored:
    """The least ``|A x - y|^2 + weight |x|^2``.

    Pruessmann et al., Magn. Reson. Med. 46(4), 2001, doi:10.1002/mrm.1241.
    """

    def weigh(plan: SlicePlan) -> float:
        return plan.weight(options.weight, PER_NOISE, LEAST)

    def solve(plan: SlicePlan) -> Tensor:
        weight = weigh(plan) * plan.largest_eigenvalue
        return conjugate_gradient(
            lambda x: plan.operator.normal(x) + weight * x,
            plan.zero_filled,
            n_iterations=options.n_iterations,
            tolerance=options.tolerance,
        )

    return restore_slices(kspace, solve, progress, weigh)
