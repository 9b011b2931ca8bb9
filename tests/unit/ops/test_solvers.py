"""Solvers: against dense algebra, item by item, and at the edge where nothing is left to do."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.ops.operator import LinearOperator
from isocenter.ops.solvers import conjugate_gradient, fista, largest_eigenvalue, primal_dual


class Dense(LinearOperator):
    """A matrix that is written down, for vectors of every item of a batch."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix

    def __call__(self, x: Tensor) -> Tensor:
        return (self.matrix @ x.unsqueeze(-1)).squeeze(-1)

    def adjoint(self, y: Tensor) -> Tensor:
        return (self.matrix.mH @ y.unsqueeze(-1)).squeeze(-1)


def system(n_items: int, n: int = 12, seed: int = 1) -> tuple[Dense, Tensor]:
    """Hermitian systems of different scale and their right sides."""
    rng = generator(seed)
    factor = torch.randn(n_items, n, n, generator=rng, dtype=torch.complex128)
    scale = 10.0 ** torch.arange(n_items, dtype=torch.float64)
    matrix = (factor @ factor.mH + torch.eye(n)) * scale[:, None, None]
    return Dense(matrix), torch.randn(n_items, n, generator=rng, dtype=torch.complex128)


def soft(x: Tensor, threshold: float) -> Tensor:
    return torch.sign(x) * (x.abs() - threshold).clamp_min(0)


def test_conjugate_gradient_solves_as_dense_algebra_does() -> None:
    normal, right = system(3)
    solution = conjugate_gradient(normal, right, n_iterations=40)
    torch.testing.assert_close(solution, torch.linalg.solve(normal.matrix, right))


def test_an_item_does_not_know_its_neighbours() -> None:
    normal, right = system(3)
    together = conjugate_gradient(normal, right, n_iterations=5, tolerance=1e-2)
    for item in range(3):
        one = slice(item, item + 1)
        alone = conjugate_gradient(
            Dense(normal.matrix[one]), right[one], n_iterations=5, tolerance=1e-2
        )
        torch.testing.assert_close(together[one], alone)


def test_no_batch_at_all_is_one_item() -> None:
    normal, right = system(1)
    solution = conjugate_gradient(Dense(normal.matrix[0]), right[0], n_iterations=40, batch_axes=0)
    torch.testing.assert_close(solution, torch.linalg.solve(normal.matrix[0], right[0]))


def test_the_error_falls_with_every_iteration() -> None:
    normal, right = system(1, seed=4)
    truth = torch.linalg.solve(normal.matrix, right)
    errors = []
    for n in range(13):
        error = conjugate_gradient(normal, right, n_iterations=n) - truth
        errors.append(float((error.conj() * normal(error)).sum().real))
    assert all(after < before for before, after in pairwise(errors)), errors


def test_residual_of_a_single_precision_system_is_monotone() -> None:
    normal, right = system(1, n=8, seed=4)
    single, right = Dense(normal.matrix.to(torch.complex64)), right.to(torch.complex64)
    residuals = [
        float((right - single(conjugate_gradient(single, right, n_iterations=n))).norm())
        for n in (0, 2, 4, 8, 30)
    ]
    assert all(after <= before * 1.01 for before, after in pairwise(residuals)), residuals
    assert residuals[-1] < 1e-4 * residuals[0]


def test_zero_residual_leaves_the_start_and_no_nan() -> None:
    normal, right = system(2)
    truth = torch.linalg.solve(normal.matrix, right)
    zeros = conjugate_gradient(normal, torch.zeros_like(right), n_iterations=5)
    assert torch.equal(zeros, torch.zeros_like(right))
    again = conjugate_gradient(normal, right, truth, n_iterations=50)
    torch.testing.assert_close(again, truth)


def test_an_operator_of_zeros_gives_no_nan() -> None:
    _, right = system(2)
    result = conjugate_gradient(torch.zeros_like, right, n_iterations=5)
    assert torch.equal(result, torch.zeros_like(right))


def test_a_good_start_needs_fewer_iterations() -> None:
    normal, right = system(1)
    truth = torch.linalg.solve(normal.matrix, right)
    near = truth * 1.001
    cold = conjugate_gradient(normal, right, n_iterations=3)
    warm = conjugate_gradient(normal, right, near, n_iterations=3)
    assert (warm - truth).norm() < 0.1 * (cold - truth).norm()


def test_tolerance_stops_an_item() -> None:
    normal, right = system(1)
    calls = 0

    def counted(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return normal(x)

    solution = conjugate_gradient(counted, right, n_iterations=100, tolerance=1e-3)
    assert calls < 13
    assert (normal(solution) - right).norm() <= 1.1e-3 * right.norm()


def test_conjugate_gradient_can_be_differentiated() -> None:
    normal, right = system(1, n=4)
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)

    def value(w: Tensor) -> Tensor:
        solution = conjugate_gradient(lambda x: normal(x) + w * x, right, n_iterations=4)
        return solution.abs().square().sum()

    assert torch.autograd.gradcheck(value, (weight,))


def test_fista_finds_the_least_of_a_sparse_problem() -> None:
    """Where the optimality conditions of the l1 norm hold."""
    matrix = torch.randn(20, 12, generator=generator(3), dtype=torch.float64)
    data = torch.randn(1, 20, generator=generator(4), dtype=torch.float64)
    weight = 3.0
    step = 1 / float(torch.linalg.matrix_norm(matrix, 2) ** 2)

    def gradient(x: Tensor) -> Tensor:
        return (x @ matrix.T - data) @ matrix

    def prox(x: Tensor, length: float) -> Tensor:
        return soft(x, weight * length)

    x = fista(gradient, prox, torch.zeros(1, 12).double(), step=step, n_iterations=3000)
    slope = gradient(x)
    zero = x == 0
    assert 0 < int(zero.sum()) < 12
    assert (slope[zero].abs() <= weight + 1e-6).all()
    torch.testing.assert_close(slope[~zero], -weight * x[~zero].sign(), rtol=1e-6, atol=1e-6)
    warm = fista(gradient, prox, x, step=step, n_iterations=2)
    torch.testing.assert_close(warm, x, rtol=1e-6, atol=1e-6)


def total_variation(length: int) -> Dense:
    return Dense(torch.diff(torch.eye(length, dtype=torch.float64), dim=0))


def clip(u: Tensor, _: float) -> Tensor:
    return u.clamp(-0.4, 0.4)


@pytest.mark.parametrize("smooth", [True, False])
def test_primal_dual_finds_the_least_total_variation(smooth: bool) -> None:
    """``|x - y|^2 / 2 + 0.4 |D x|_1``, the first term by its gradient or by its prox."""
    y = torch.tensor([[0.0, 0.1, -0.1, 2.0, 2.2, 1.9, 0.0, 0.1]], dtype=torch.float64)
    operator = total_variation(y.shape[1])
    terms = (
        {"gradient": lambda x: x - y}
        if smooth
        else {"prox": lambda x, tau: (x + tau * y) / (1 + tau)}
    )
    steps = (0.4, 0.4)
    x = primal_dual(operator, clip, y, steps=steps, n_iterations=3000, **terms)
    # The dual u with x = y - D^T u is within its ball and at its border where x steps.
    u = (y - x).cumsum(-1)[:, :-1] * -1
    steps_of_x = operator(x)
    assert (u.abs() <= 0.4 + 1e-6).all()
    moving = steps_of_x.abs() > 1e-6
    assert 0 < int(moving.sum()) < moving.numel()
    torch.testing.assert_close(u[moving], 0.4 * steps_of_x[moving].sign(), rtol=1e-5, atol=1e-5)
    assert float((y - x).sum().abs()) < 1e-6


def test_largest_eigenvalue_is_that_of_every_item() -> None:
    normal, right = system(3)
    found = largest_eigenvalue(normal, right, n_iterations=300)
    truth = torch.linalg.eigvalsh(normal.matrix)[:, -1:]
    torch.testing.assert_close(found, truth, rtol=1e-6, atol=0)
    assert (largest_eigenvalue(normal, right, n_iterations=3) <= truth * (1 + 1e-12)).all()
    assert torch.equal(
        largest_eigenvalue(torch.zeros_like, right), torch.zeros(3, 1, dtype=torch.float64)
    )
