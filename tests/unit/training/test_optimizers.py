"""Muon: orthogonal steps for matrices, AdamW for the rest, resumable like everything else."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn

from isocenter.data.random import generator
from isocenter.training.engine.fabric import make_fabric
from isocenter.training.engine.loop import Trainer
from isocenter.training.engine.optimizers import Muon, make_optimizers, orthogonal
from isocenter.training.engine.recipe import Task
from isocenter.training.engine.schedule import Schedule

SCHEDULE = Schedule(
    n_steps=12,
    batch=4,
    warm_up=2,
    optimizer="muon",
    learning_rate=0.01,
    validate_every=6,
    save_every=6,
)


def net() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1),  # kernels of 27 values
            nn.Conv2d(16, 16, 3, padding=1, groups=16),  # of 9: too short to be made orthogonal
            nn.Flatten(1),
            nn.Linear(16 * 16, 20),
            nn.Linear(20, 1),
        )


def loss(net: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    return (net(batch)[:, 0] - batch.mean((1, 2, 3))).square().mean()


class Noise(torch.utils.data.Dataset[torch.Tensor]):
    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.randn(3, 4, 4, generator=generator(index))

    def __len__(self) -> int:
        return SCHEDULE.n_steps * SCHEDULE.batch


def trainer(folder: Path) -> Trainer:
    folder.mkdir(exist_ok=True)
    return Trainer(Task(net(), Noise(), loss), SCHEDULE, folder, make_fabric("cpu"), seed=1)


@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (30, 30)])
def test_singular_values_are_brought_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=generator(0))
    turned = orthogonal(matrix)
    values = torch.linalg.svdvals(turned)
    assert float(values.min()) > 0.3
    assert float(values.max()) < 1.3
    # The same directions as the polar factor has, which is the nearest orthogonal matrix.
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    polar = left @ right
    assert float((turned * polar).sum() / (turned.norm() * polar.norm())) > 0.95


def test_a_step_does_not_depend_on_the_size_of_the_gradient() -> None:
    moved = []
    for scale in (2.0**-10, 2.0**10):
        weight = nn.Parameter(torch.zeros(24, 16, 3, 3))
        weight.grad = scale * torch.randn(weight.shape, generator=generator(1))
        Muon([weight], lr=0.5).step()
        moved.append(weight.detach())
    torch.testing.assert_close(*moved)
    # As long as a step of Adam, whose values are near the rate times 0.2.
    assert float(moved[0].square().mean().sqrt()) == pytest.approx(0.1, rel=0.2)


def test_weight_decay_is_decoupled() -> None:
    weight = nn.Parameter(torch.ones(16, 16))
    weight.grad = torch.zeros(16, 16)
    Muon([weight], lr=0.1, weight_decay=0.5).step()
    torch.testing.assert_close(weight.detach(), torch.full((16, 16), 0.95))


def test_every_weight_is_moved_once_and_small_ones_by_adam() -> None:
    made = net()
    muon, adam = make_optimizers(made, SCHEDULE)
    assert isinstance(muon, Muon)
    shapes = [tuple(weight.shape) for weight in muon.param_groups[0]["params"]]
    assert shapes == [(16, 3, 3, 3), (20, 256)]
    every = Counter(
        id(weight)
        for optimizer in (muon, adam)
        for group in optimizer.param_groups
        for weight in group["params"]
    )
    assert every == Counter(id(weight) for weight in made.parameters())


def test_a_network_without_large_matrices_is_left_to_adam() -> None:
    (only,) = make_optimizers(nn.Linear(4, 4), SCHEDULE)
    assert isinstance(only, torch.optim.AdamW)


def test_it_learns_and_resumes_exactly(tmp_path: Path) -> None:
    whole = trainer(tmp_path / "whole")
    assert whole.run(say=lambda line: None)
    losses = [point["loss"] for point in whole.progress.curve]
    assert losses[-1] < 0.5 * losses[0]
    halves = tmp_path / "halves"

    class Stopped(Exception):
        pass

    def stop(line: str) -> None:
        raise Stopped

    first = trainer(halves)
    with pytest.raises(Stopped):  # told of the point at step 6, behind which it would be saved
        first.run(say=stop)
    first.save()
    again = trainer(halves)
    assert again.resume()
    assert again.step == 6
    assert again.run(say=lambda line: None)
    for one, other in zip(whole.net.parameters(), again.net.parameters(), strict=True):
        assert torch.equal(one, other)
