"""Straight lines on few numbers: ridge regression, and logistic regression for classes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from isocenter.training.baselines._learned import Learned, LearnsFromFeatures
from isocenter.training.baselines._protocol import Array, Method
from isocenter.training.baselines._simple import simple_table

__all__ = ["Linear", "fit_classes", "fit_values", "learner", "method"]

RIDGE = 1e-2
"""Weight of the squared coefficients; inputs are standardised."""


def method(*, path: Path | None = None) -> Method:
    """Straight lines on :func:`isocenter.ops.slabs.simple_numbers`.

    Args:
        path: Table in which the numbers are kept by the scan's hash.
    """
    return LearnsFromFeatures(simple_table(path), learner, needs_all=True)


def learner(values: Array, truth: Array, n_classes: int | None) -> Learned:
    """Straight lines on any features."""
    x = torch.from_numpy(values).float()
    if n_classes is None:
        line = fit_values(x, torch.from_numpy(truth).float())
        return lambda new: _outputs(line, new)
    line = fit_classes(x, torch.from_numpy(truth).long(), n_classes)
    return lambda new: np.asarray(torch.from_numpy(_outputs(line, new)).softmax(1).numpy())


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


def _outputs(line: Linear, values: Array) -> Array:
    return np.asarray(line(torch.from_numpy(values).float()).double().numpy())


def _with_one(x: Tensor) -> Tensor:
    return torch.cat([x, torch.ones(len(x), 1)], dim=1)
