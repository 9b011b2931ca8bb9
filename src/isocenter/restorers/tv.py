"""Compressed sensing with total variation and coils."""

from dataclasses import dataclass

import torch
from jaxtyping import Complex
from torch import Tensor

from isocenter.data.kspace import KSpace
from isocenter.ops.operator import LinearOperator
from isocenter.ops.solvers import primal_dual
from isocenter.restorers._by_slice import SlicePlan, restore_slices
from isocenter.restorers._restored import Progress, Restored

__all__ = ["NEEDS_MAPS", "Options", "reconstruct"]

NEEDS_MAPS = True

PER_NOISE, LEAST = 0.7, 5e-4
"""Chosen on simulated k-space of a person of the training side (sub-01; 8 coils, columns at R 3
and 4 and a Poisson disc at R 6, noise of 0.7 and 2.8 % of bright tissue)."""

DUAL_STEP = 0.1
"""Of the dual variable, whose length is at most the weight; data scaled to about 1."""


@dataclass(frozen=True)
class Options:
    """How flat."""

    weight: float | None = None
    """Of the total variation, over the brightness of bright tissue; if not given, 0.7 times the
    noise over that brightness, at least 0.0005."""
    n_iterations: int = 100


def reconstruct(
    kspace: KSpace, options: Options, *, rng: torch.Generator, progress: Progress | None
) -> Restored:
    """The least ``|A x - y|^2 / 2 + weight sum |grad x|`` by a primal-dual iteration.

    Block, Uecker and Frahm, Magn. Reson. Med. 57(6), 2007, doi:10.1002/mrm.21236; the length of a
    gradient counts both directions, real and imaginary part together.
    """

    def weigh(plan: SlicePlan) -> float:
        return plan.weight(options.weight, PER_NOISE, LEAST)

    def solve(plan: SlicePlan) -> Tensor:
        weight = weigh(plan)

        def project(dual: Tensor, step: float) -> Tensor:
            length = torch.linalg.vector_norm(dual, dim=0, keepdim=True)
            projected: Tensor = dual * (weight / length.clamp(min=weight or 1.0))
            return projected

        step = 1 / (plan.largest_eigenvalue / 2 + _Gradient.LARGEST * DUAL_STEP)
        return primal_dual(
            _Gradient(),
            project,
            plan.zero_filled,
            steps=(step, DUAL_STEP),
            n_iterations=options.n_iterations,
            gradient=plan.gradient,
        )

    return restore_slices(kspace, solve, progress, weigh)


class _Gradient(LinearOperator):
    """Differences to the next row and column, 0 at the last; in a new first axis."""

    LARGEST = 8
    """No eigenvalue of ``K^H K`` is larger."""

    def __call__(self, x: Complex[Tensor, "*b y x"]) -> Complex[Tensor, "2 *b y x"]:
        differences = torch.zeros_like(x).repeat(2, *[1] * x.ndim)
        torch.sub(x[..., 1:, :], x[..., :-1, :], out=differences[0, ..., :-1, :])
        torch.sub(x[..., :, 1:], x[..., :, :-1], out=differences[1, ..., :, :-1])
        return differences

    def adjoint(self, y: Complex[Tensor, "2 *b y x"]) -> Complex[Tensor, "*b y x"]:
        x = torch.zeros_like(y[0])
        x[..., 1:, :] += y[0, ..., :-1, :]
        x[..., :-1, :] -= y[0, ..., :-1, :]
        x[..., :, 1:] += y[1, ..., :, :-1]
        x[..., :, :-1] -= y[1, ..., :, :-1]
        return x
