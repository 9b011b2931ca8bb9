"""The recipe ``hfs_sde``: the published numbers, its loss, and the file that it makes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from isocenter.data.io import write
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.diffusion.projector import low_columns
from isocenter.nets import ddpm, ncsnpp
from isocenter.restorers._prior import load_prior
from isocenter.training.answers.denoising import LEVELS
from isocenter.training.engine.fabric import make_fabric
from isocenter.training.engine.loop import Trainer
from isocenter.training.engine.schedule import Schedule
from isocenter.training.recipes.hfs_sde import HfsSdeRecipe, Timed, TimedImages

SIDE = 24
SMALL = HfsSdeRecipe(
    schedule=Schedule(n_steps=2, batch=2, warm_up=1, validate_every=2, save_every=2),
    ddpm=ddpm.Config(width=4, factors=(1, 2), n_blocks=1),
    ncsnpp=ncsnpp.Config(width=8, factors=(1, 2), n_blocks=1),
    side=SIDE, n_kept=4, apart=12.0, n_watched=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection: four brains."""
    root = tmp_path_factory.mktemp("collection")
    (root / "brains").mkdir()
    place = (torch.arange(32) + 0.5) / 16 - 1
    ball = (place[:, None, None] ** 2 + place[:, None] ** 2 + place**2 < 0.6).float()
    for number in range(1, 5):
        brain = 500 * ball * (1 + 0.1 * number * torch.rand(ball.shape, generator=generator(1)))
        write(Volume(brain, np.eye(4)), root / "brains" / f"sub-{number:02d}_T1w.nii.gz")
    return root


class Exact(nn.Module):
    """The score of images of a known Gaussian, and something untrained beside it."""

    def __init__(self, recipe: HfsSdeRecipe, variance: float) -> None:
        super().__init__()
        self.process, self.variance = recipe.diffused(), variance
        self.rest = nn.Parameter(torch.tensor(7.0))

    def forward(self, parts: Tensor, level: Tensor) -> Tensor:
        deviation = level[:, None, None, None]
        scale = (1 - deviation.square()).sqrt()
        score = -parts / (scale.square() * self.variance + deviation.square())
        return score + self.rest  # a constant lies in the part that is kept


def test_the_defaults_are_the_published_numbers() -> None:
    recipe = HfsSdeRecipe()
    schedule = recipe.schedule
    assert (schedule.batch, schedule.learning_rate, schedule.warm_up) == (16, 2e-4, 5000)
    assert (schedule.average, schedule.clip, schedule.weight_decay) == (0.9999, 1.0, 0.0)
    assert (recipe.side, recipe.n_kept, recipe.net) == (320, 16, "ddpm")
    with torch.device("meta"):
        net = ddpm.DDPM(recipe.ddpm)
    assert sum(weight.numel() for weight in net.parameters()) == 34_425_602
    assert recipe.seen().least == pytest.approx(1.0e-3, rel=0.1)
    assert recipe.seen().most == pytest.approx(1 / 0.0066, rel=0.01)


def test_the_loss_of_the_exact_score_is_what_no_score_can_beat(data: Path, tmp_path: Path) -> None:
    """Of Gaussian images the remaining loss is known: a^2 v / (a^2 v + s^2) of what is diffused."""
    variance, rng = 0.3, generator(2)
    task = SMALL.task(data, SMALL.split(data), tmp_path)
    shape = (64, SIDE, SIDE)
    images = [
        torch.complex(torch.randn(shape, generator=rng), torch.randn(shape, generator=rng))
        for _ in range(2)
    ]
    for time in (0.1, 0.5):
        batch = Timed(variance**0.5 * images[0], images[1], torch.full((64,), time))
        process = SMALL.diffused()

        def loss(believed: float, batch: Timed = batch) -> float:
            return float(task.loss(Exact(SMALL, believed), batch).detach())

        kept = process.scale(time) ** 2 * variance
        left = kept / (kept + process.deviation(time) ** 2) * (1 - SMALL.n_kept / SIDE)
        assert loss(variance) == pytest.approx(left, rel=0.02)
        assert loss(4 * variance) > 1.02 * left


def test_an_example_is_a_function_of_its_index(data: Path, tmp_path: Path) -> None:
    task = SMALL.task(data, SMALL.split(data), tmp_path)
    assert isinstance(task.examples, TimedImages)
    again = SMALL.task(data, SMALL.split(data), tmp_path).examples
    for one, other in zip(task.examples[1], again[1], strict=True):
        assert torch.equal(one, other)
    times = torch.stack([task.examples[i].time for i in range(4)])
    assert 1e-5 <= float(times.min()) < float(times.max()) <= 1
    assert default_collate([task.examples[0]]).clean.shape == (1, SIDE, SIDE)


@pytest.mark.parametrize(
    ("process", "net"), [("hfs", "ddpm"), ("vp", "ddpm"), ("ve", "ncsnpp"), ("vp", "ncsnpp")]
)
def test_what_it_trains_serves_as_a_prior(
    data: Path, tmp_path: Path, process: str, net: str
) -> None:
    recipe = partial(HfsSdeRecipe, schedule=SMALL.schedule, ddpm=SMALL.ddpm, ncsnpp=SMALL.ncsnpp)(
        side=SIDE, n_kept=4, apart=12.0, n_watched=2, process=process, net=net
    )  # type: ignore[call-arg]
    task = recipe.task(data, recipe.split(data), tmp_path)
    trainer = Trainer(task, recipe.schedule, tmp_path, make_fabric("cpu", precision="32"), seed=1)
    assert trainer.run(say=lambda line: None)
    assert trainer.progress.curve[-1]["negative loss"] < 0
    file = recipe.checkpoint(trainer.averaged(), {}).save(tmp_path / "prior.safetensors")
    noisy = torch.randn(1, 19, SIDE, dtype=torch.complex64, generator=generator(0))
    width = 4 if process == "hfs" else None
    said = load_prior(file).denoiser(width)(noisy, torch.tensor([0.3]))
    assert said.shape == noisy.shape
    if process == "hfs":
        kept = low_columns((19, SIDE), 4).rest(said - noisy)
        assert float(kept.abs().max()) < 1e-4


def test_it_answers_with_the_pixels_of_people(data: Path, tmp_path: Path) -> None:
    people = SMALL.split(data)["test"]
    found = SMALL.answers(SMALL.build().eval(), data, people, lambda line: None)
    assert set(found.people) == set(people)
    assert len(found.truth) == len(people) * len(LEVELS) * 4 * 64
