"""The simple methods that a network must beat: a constant, and a straight line on few numbers."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from isocenter.ops.slabs import SlabBatch

__all__ = ["Linear", "fit_classes", "fit_values", "simple_numbers"]

RIDGE = 1e-2
"""Weight of the squared coefficients; inputs are standardised."""


def simple_numbers(batch: SlabBatch) -> Tensor:
    """Numbers that anyone would look at first, averaged over the slabs of a scan.

    The facts that the network gets, too (voxel size, k-space lines), then the logarithms of
    sharpness, gradient, brightness of the air, spread, and slow variation inside the head.
    """
    middle = batch.slabs[:, batch.slabs.shape[1] // 2]
    inside = batch.inside
    laplacian = (4 * middle - sum(middle.roll(s, d) for s in (1, -1) for d in (1, 2))).abs()
    gradient = torch.hypot(middle - middle.roll(1, 1), middle - middle.roll(1, 2))
    slow = F.avg_pool2d(middle * inside, 16) / F.avg_pool2d(inside.float(), 16).clamp_min(0.1)
    numbers = [
        _mean(laplacian, inside),
        _mean(gradient, inside),
        _mean(middle.abs(), ~inside),
        _mean(middle.square(), inside).sqrt(),
        slow.flatten(1).std(1).mean(),
    ]
    return torch.cat([batch.facts.mean(0), torch.stack(numbers).clamp_min(1e-6).log()])


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


def fit_classes(x: Tensor, classes: Tensor, n_classes: int) -> Linear:
    """Multinomial logistic regression.

    Args:
        x: (rows, k).
        classes: (rows,), 0 to ``n_classes`` - 1.
        n_classes: Number of classes.
    """
    mean, scale = x.mean(0), x.std(0).clamp_min(1e-6)
    inputs = _with_one((x - mean) / scale)
    weight = torch.zeros(inputs.shape[1], n_classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(inputs @ weight, classes) + RIDGE * weight[:-1].square().mean()
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


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp_min(1)


def _with_one(x: Tensor) -> Tensor:
    return torch.cat([x, torch.ones(len(x), 1)], dim=1)
