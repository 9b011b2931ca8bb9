"""A small task with dropout, a drawing part and batch statistics, for tests of the loop."""

import os
import signal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from isocenter.data.random import child, generator
from isocenter.nets._blocks.initial import drawn
from isocenter.training.recipe import Task

WANTED = torch.tensor([1.0, -2.0, 0.5, 0.0])


class Noisy(nn.Module):
    """Noise from a generator of its own, in training."""

    def __init__(self) -> None:
        super().__init__()
        self.rng = generator(0)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return x + 0.1 * torch.randn(x.shape, generator=self.rng).to(x)


class Lines(Dataset[tuple[Tensor, Tensor]]):
    """Noisy values of a line; ``faults`` holds NaN, ``killed`` kills the process."""

    def __init__(self, length: int, faults: tuple[int, ...] = (), killed: int | None = None):
        self.length, self.faults, self.killed = length, faults, killed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if index == self.killed:
            os.kill(os.getpid(), signal.SIGKILL)
        x = torch.randn(4, generator=child(generator(3), index))
        return x, x @ WANTED if index not in self.faults else torch.tensor(torch.nan)


def loss(net: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    x, y = batch
    return F.mse_loss(net(x)[:, 0].float(), y)


def validate(net: nn.Module) -> dict[str, float]:
    device = next(net.parameters()).device
    x = torch.randn(16, 4, generator=generator(5))
    said = net(x.to(device))[:, 0].cpu()
    return {"minus error": -float((said - x @ WANTED).abs().mean())}


def toy_net(*, chance: bool = True) -> nn.Module:
    def make() -> nn.Module:
        middle = [nn.BatchNorm1d(8), nn.Dropout(0.2), Noisy()] if chance else []
        return nn.Sequential(nn.Linear(4, 8), *middle, nn.ReLU(), nn.Linear(8, 1))

    return drawn(make, seed=1, name="toy")


def toy_task(examples: Lines, *, chance: bool = True, validated: bool = True) -> Task:
    return Task(toy_net(chance=chance), examples, loss, validate if validated else None)
