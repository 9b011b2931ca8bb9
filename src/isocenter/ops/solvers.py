"""Iterations that solve or minimise, given only products with an operator.

Leading axes are a batch: step lengths are found for every item by itself, so that what an item
becomes does not depend on its neighbours.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from isocenter.ops.operator import LinearOperator

__all__ = ["conjugate_gradient", "fista", "largest_eigenvalue", "primal_dual"]

Map = Callable[[Tensor], Tensor]
Prox = Callable[[Tensor, float], Tensor]
"""``prox(x, step)`` is the z with the least ``g(z) + |z - x|^2 / (2 step)``."""


def conjugate_gradient(
    normal: Map,
    right: Tensor,
    start: Tensor | None = None,
    *,
    n_iterations: int,
    tolerance: float = 0.0,
    batch_axes: int = 1,
) -> Tensor:
    """Solve ``N x = b`` for Hermitian, positive semidefinite ``N``.

    Hestenes and Stiefel, J. Res. Natl. Bur. Stand. 49(6), 1952, doi:10.6028/jres.049.044.

    Args:
        normal: ``N`` of any tensor shaped like ``right``; acts on every item of the batch alone.
        right: ``b``, real or complex.
        start: First guess; zero when not given.
        n_iterations: At most so many products with ``N`` (one more with a start).
        tolerance: An item is left alone once its residual is at most this part of ``|b|``.
        batch_axes: So many leading axes count items; the others belong to one unknown.

    Returns:
        ``x``; differentiable, though every iteration is then kept.
    """
    x = torch.zeros_like(right) if start is None else start
    residual = right if start is None else right - normal(start)
    direction = residual
    energy = _energy(residual, batch_axes)
    enough = tolerance**2 * _energy(right, batch_axes)
    for _ in range(n_iterations):
        going = energy > enough
        if not bool(going.any()):
            break
        product = normal(direction)
        step = _ratio(energy, _inner(direction, product, batch_axes), going)
        x = torch.addcmul(x, step, direction)
        residual = torch.addcmul(residual, -step, product)
        previous, energy = energy, _energy(residual, batch_axes)
        direction = torch.addcmul(residual, _ratio(energy, previous, going), direction)
    return x


def fista(gradient: Map, prox: Prox, start: Tensor, *, step: float, n_iterations: int) -> Tensor:
    """Minimise ``f(x) + g(x)``, f smooth and g simple, with Nesterov's momentum.

    Beck and Teboulle, SIAM J. Imaging Sci. 2(1), 2009, doi:10.1137/080716542, equations 4.1-4.3.

    Args:
        gradient: Of f.
        prox: Of g; may draw, such as the shift of a wavelet frame, from a generator of its own.
        start: First guess.
        step: At most one over the Lipschitz constant of the gradient.
        n_iterations: Gradients taken.
    """
    x, ahead, momentum = start, start, 1.0
    for _ in range(n_iterations):
        previous, x = x, prox(ahead - step * gradient(ahead), step)
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = torch.lerp(previous, x, 1 + (momentum - 1) / following)
        momentum = following
    return x


def primal_dual(
    operator: LinearOperator,
    prox_dual: Prox,
    start: Tensor,
    *,
    steps: tuple[float, float],
    n_iterations: int,
    gradient: Map | None = None,
    prox: Prox | None = None,
    dual: Tensor | None = None,
) -> Tensor:
    """Minimise ``f(x) + g(x) + h(K x)``, f smooth, g and h simple.

    Chambolle and Pock, J. Math. Imaging Vis. 40(1), 2011, doi:10.1007/s10851-010-0251-1, algorithm
    1, and with a smooth term Condat, J. Optim. Theory Appl. 158(2), 2013,
    doi:10.1007/s10957-012-0245-9, algorithm 3.1.

    Args:
        operator: ``K``.
        prox_dual: Of the convex conjugate of h; for a norm, the projection onto the dual's ball.
        start: First guess of x.
        steps: tau of x and sigma of the dual, with
            ``1 / tau - sigma |K|^2 >= L / 2`` for the Lipschitz constant L of the gradient.
        n_iterations: Products with K and with its adjoint.
        gradient: Of f; f is 0 when not given.
        prox: Of g; g is 0 when not given.
        dual: First guess of the dual variable; 0 when not given.
    """
    tau, sigma = steps
    x = start
    u = torch.zeros_like(operator(x)) if dual is None else dual
    for _ in range(n_iterations):
        slope = operator.adjoint(u)
        if gradient is not None:
            slope = slope + gradient(x)
        previous, x = x, x - tau * slope
        if prox is not None:
            x = prox(x, tau)
        u = prox_dual(u + sigma * operator(2 * x - previous), sigma)
    return x


def largest_eigenvalue(
    normal: Map, start: Tensor, *, n_iterations: int = 30, batch_axes: int = 1
) -> Tensor:
    """Largest eigenvalue of a Hermitian, positive semidefinite operator, by power iteration.

    Args:
        normal: As for :func:`conjugate_gradient`.
        start: A vector per item that is not orthogonal to the eigenvector.
        n_iterations: Products taken.

    Returns:
        One per item, shaped to broadcast against ``start``; it comes from below. 0 where the
        operator sends ``start`` to 0.
    """
    x, value = start, _energy(start, batch_axes) * 0
    for _ in range(n_iterations):
        x = x * _ratio(torch.ones_like(value), _energy(x, batch_axes).sqrt(), value >= 0)
        x = normal(x)
        value = _energy(x, batch_axes).sqrt()
    return value


def _inner(x: Tensor, y: Tensor, batch_axes: int) -> Tensor:
    """Real part of ``<x, y>`` of every item, shaped to broadcast against it."""
    shape = (*x.shape[:batch_axes], *[1] * (x.ndim - batch_axes))
    if x.is_complex():
        x, y = torch.view_as_real(x), torch.view_as_real(y)
    return (x * y).flatten(batch_axes).sum(-1).reshape(shape)


def _energy(x: Tensor, batch_axes: int) -> Tensor:
    """``|x|^2`` of every item, shaped to broadcast against it."""
    return _inner(x, x, batch_axes)


def _ratio(over: Tensor, under: Tensor, going: Tensor) -> Tensor:
    """``over / under`` where an item goes on and there is something to divide by, else 0."""
    valid = going & (under > 0)
    return torch.where(valid, over / torch.where(valid, under, 1), 0)
