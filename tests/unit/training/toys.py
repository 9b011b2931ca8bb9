"""A small network with dropout, a drawing part and batch statistics, and a recipe for it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.random import child, generator
from isocenter.errors import NothingFound
from isocenter.nets._blocks.initial import drawn
from isocenter.registry import Registry
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.recipe import Recipe, Task
from isocenter.training.engine.schedule import Schedule
from isocenter.training.engine.splits import Split

WANTED = torch.tensor([1.0, -2.0, 0.5, 0.0])
CLASSES = ("pristine", "noise_1", "noise_2")


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
    """Values of a line.

    Args:
        length: How many.
        faults: Indices whose value is NaN.
        killed: Index at which the process is killed.
    """

    def __init__(
        self, length: int, faults: tuple[int, ...] = (), killed: int | None = None
    ) -> None:
        self.length, self.faults, self.killed = length, faults, killed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if index == self.killed:
            os.kill(os.getpid(), signal.SIGKILL)
        x = torch.randn(4, generator=child(generator(3), index))
        return x, torch.tensor(torch.nan) if index in self.faults else x @ WANTED


def loss(net: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    x, y = batch
    return F.mse_loss(net(x)[:, 0], y)


def validate(net: nn.Module) -> dict[str, float]:
    x = torch.randn(16, 4, generator=generator(5))
    return {"closeness": -float((net(x)[:, 0] - x @ WANTED).abs().mean())}


def toy_net(*, chance: bool = True, n_outputs: int = 1) -> nn.Module:
    def make() -> nn.Module:
        middle = [nn.BatchNorm1d(8), nn.Dropout(0.2), Noisy()] if chance else []
        first = nn.Linear(4, 8, bias=not chance)
        return nn.Sequential(first, *middle, nn.ReLU(), nn.Linear(8, n_outputs))

    return drawn(make, seed=1, name="toy")


@dataclass(frozen=True)
class ToyRecipe(Recipe):
    """People are files ``NAME.txt``; each has a few lines, or a few classes."""

    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            n_steps=20, batch=4, warm_up=3, learning_rate=0.02, validate_every=10, save_every=5
        )
    )
    kind: Literal["classes", "values"] = "values"
    fold: int = 0
    sizes: tuple[int, ...] = (4, 8)
    limit: float | None = None
    faults: tuple[int, ...] = ()

    def people(self, data: Path) -> tuple[str, ...]:
        found = tuple(sorted(file.stem for file in data.glob("*.txt")))
        if not found:
            raise NothingFound(f"no person in {data}")
        return found

    def split(self, data: Path) -> Split:
        everybody = self.people(data)
        test = everybody[self.fold :: 3]
        rest = tuple(person for person in everybody if person not in test)
        return {"train": rest[1:], "validation": rest[:1], "test": test}

    def task(self, data: Path, split: Split, scratch: Path) -> Task:
        n = self.schedule.n_steps * self.schedule.batch
        net = toy_net(n_outputs=1 if self.kind == "values" else len(CLASSES))
        return Task(net, Lines(n, self.faults), loss, validate)

    def answers(
        self, net: nn.Module, data: Path, people: Sequence[str], say: Callable[[str], None]
    ) -> Outcomes:
        x = torch.stack([torch.randn(8, 4, generator=child(generator(2), p)) for p in people])
        truth = (x @ WANTED).flatten()
        with torch.no_grad():
            said = net(x.flatten(0, 1))
        if self.kind == "classes":
            truth, said = (truth > -1).long() + (truth > 1), said.softmax(1)
        say(f"{len(people)} people")
        return Outcomes(
            kind=self.kind,
            people=tuple(person for person in people for _ in range(8)),
            items=tuple(f"line {i}" for _ in people for i in range(8)),
            truth=truth.double().numpy(),
            outputs=np.asarray(said.double().numpy()),
            columns=CLASSES if self.kind == "classes" else ("estimate",),
        )

    def checkpoint(self, net: nn.Module, card: Mapping[str, Any]) -> Checkpoint:
        return Checkpoint(
            net="toy", config={}, preprocess={}, outputs={}, calibration={}, card=card,
            tensors=net.state_dict(),
        )  # fmt: skip


RECIPE = ToyRecipe


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """The last digits depend on the number of threads, and so small a network needs one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe as one of another package, by the name ``toy``."""
    entry = EntryPoint("toy", __name__, "isocenter.recipes")

    def plugins(registry: Registry) -> dict[str, EntryPoint]:
        return {"toy": entry} if registry.kind == "recipe" else {}

    monkeypatch.setattr(Registry, "_plugins", plugins)


def make_people(folder: Path, n: int = 9) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        (folder / f"sub-{i}.txt").write_text("")
    return folder
