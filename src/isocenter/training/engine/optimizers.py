"""What moves the weights: AdamW, or Muon for matrices with AdamW for the rest."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from isocenter.training.engine.schedule import Schedule

__all__ = ["Muon", "make_optimizers"]

NEVER_DECAYED = ("A_logs", "Ds", "dt_projs_bias")
"""Rates of a selective scan, though they have two axes."""
LEAST_SIDE = 16
"""Matrices with a shorter side gain nothing by being made orthogonal."""
SHARE_OF_THE_REST = 1 / 3
"""Learning rate of what AdamW moves, over that of the matrices."""
ADAMS_SIZE = 0.2
"""Root mean square of a step of Adam at rate 1, about."""
N_ROUNDS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)
"""Of the iteration: singular values from 0.02 to 1 end between 0.7 and 1.2."""


def make_optimizers(net: nn.Module, schedule: Schedule) -> list[torch.optim.Optimizer]:
    """One of all weights, or one of matrices and one of the rest.

    ``share`` of a group is its learning rate over that of the schedule.
    """
    named = list(net.named_parameters())
    if schedule.optimizer == "adamw":
        return [torch.optim.AdamW(_groups(named, schedule.weight_decay, 1.0))]
    turned = [weight for _, weight in named if _is_large_matrix(weight)]
    rest = [(name, weight) for name, weight in named if not _is_large_matrix(weight)]
    others = torch.optim.AdamW(_groups(rest, schedule.weight_decay, SHARE_OF_THE_REST))
    if not turned:
        return [others]
    return [Muon([{"params": turned, "share": 1.0}], weight_decay=schedule.weight_decay), others]


class Muon(torch.optim.Optimizer):
    """Steps that are the nearest orthogonal matrix of the gradient's running mean.

    All directions in which a matrix can move so get steps of one length; the kernels of a
    convolution are one matrix, (out, in * positions).  K. Jordan et al.,
    https://kellerjordan.github.io/posts/muon (2024); steps are as large as those of Adam, so that
    rates carry over, after Liu et al., arXiv:2502.16982.  ``torch.optim.Muon`` takes no kernels.

    Args:
        params: Weights with two axes or more, or groups of them.
        lr: Learning rate.
        momentum: Of the running mean.
        weight_decay: Decoupled, as in AdamW.
    """

    def __init__(
        self,
        params: Iterable[Any],
        *,
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every weight that has a gradient; returns what ``closure`` does."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, weight.grad, group)
        return loss

    def _move(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["mean"] = torch.zeros_like(weight)
        state["mean"].lerp_(gradient, 1 - group["momentum"])
        ahead = gradient.lerp(state["mean"], group["momentum"])  # Nesterov's look ahead
        turned = orthogonal(ahead.flatten(1))
        length = ADAMS_SIZE * max(turned.shape) ** 0.5
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(turned.view_as(weight), alpha=-group["lr"] * length)


def orthogonal(matrix: Tensor) -> Tensor:
    """The matrix (m, n) with its singular values brought near 1, by Newton and Schulz's iteration.

    In bfloat16, which is enough: the values need not be equal.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    turned = (wide / wide.norm().clamp_min(1e-30)).bfloat16()
    a, b, c = QUINTIC
    for _ in range(N_ROUNDS):
        square = turned @ turned.T
        turned = a * turned + (b * square + c * square @ square) @ turned
    back: Tensor = turned if matrix.shape[0] <= matrix.shape[1] else turned.T
    return back.to(matrix.dtype)


def _is_large_matrix(weight: Tensor) -> bool:
    return weight.ndim > 1 and min(weight.flatten(1).shape) >= LEAST_SIDE


def _groups(
    named: list[tuple[str, nn.Parameter]], weight_decay: float, share: float
) -> list[dict[str, Any]]:
    """Matrices decay, vectors and the scan's rates do not."""
    decayed = [p for n, p in named if p.ndim > 1 and not n.endswith(NEVER_DECAYED)]
    others = [p for n, p in named if not (p.ndim > 1 and not n.endswith(NEVER_DECAYED))]
    return [
        {"params": decayed, "weight_decay": weight_decay, "share": share},
        {"params": others, "weight_decay": 0.0, "share": share},
    ]
