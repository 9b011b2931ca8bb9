"""The simple methods that a network must beat: a constant, and a straight line on few numbers."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Linear", "fit_classes", "fit_values"]

RIDGE = 1e-2
"""Weight of the squared coefficients; inputs are standardised."""


@dataclass(frozen=True)
class Linear:
    """Standardisation and coefficients."""

    mean: Tensor
    scale: Tensor
    weight: Tensor
    """(k + 1, outputs), the last row is the offset."""

    def __call__(self, x: Tensor) -> Tensor:
        """(rows, k) -> (rows, outputs)."""
        return _with_one((x - self.mean) / self.scale) @ self.weight


def fit_classes(x: Tensor, classes: Tensor, n_classes: int, *, ridge: float = RIDGE) -> Linear:
    """Multinomial logistic regression.

    Args:
        x: (rows, k).
        classes: (rows,), 0 to ``n_classes`` - 1.
        n_classes: Number of classes.
        ridge: Weight of the mean squared coefficient.
    """
    mean, scale = x.mean(0), x.std(0).clamp_min(1e-6)
    inputs = _with_one((x - mean) / scale)
    weight = torch.zeros(inputs.shape[1], n_classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(inputs @ weight, classes) + ridge * weight[:-1].square().mean()
        loss.backward()
        return float(loss.detach())

    optimizer.step(closure)
    return Linear(mean, scale, weight.detach())


def fit_values(x: Tensor, y: Tensor) -> Linear:
    """Ridge regression of ``y`` (rows,) on ``x`` (rows, k)."""
    mean, scale = x.mean(0), x.std(0).clamp_min(1e-6)
    inputs = _with_one((x - mean) / scale)
    penalty = RIDGE * len(x) * torch.eye(inputs.shape[1])
    penalty[-1, -1] = 0
    weight = torch.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ y[:, None])
    return Linear(mean, scale, weight)


def _with_one(x: Tensor) -> Tensor:
    return torch.cat([x, torch.ones(len(x), 1)], dim=1)
