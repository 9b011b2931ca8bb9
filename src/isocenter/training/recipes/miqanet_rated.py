"""MIQANet on images rated by people, one reference left out: nobody's content is on two sides.

The data are a folder with ``ratings.csv`` and ``images``, as RAD-IQMRI or a stand-in for it
would be laid out; see :mod:`isocenter.datasets.rad_iqmri`.  ``fold`` says which reference is
left out, so the whole experiment is one run for each reference; :func:`agreement_of_folds`
gathers them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from isocenter.assessors._pictures import judge_slices, pictures
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.random import child, generator
from isocenter.datasets.rad_iqmri import RatedImage, RatedSet, read_grey, read_ratings
from isocenter.errors import BadCheckpoint, InputError, UsageError
from isocenter.nets.miqanet import Config
from isocenter.statistics import measure_agreement, srocc
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.recipe import Recipe, Task
from isocenter.training.engine.schedule import Schedule
from isocenter.training.engine.splits import Split
from isocenter.training.inputs.slices import cropped, turned
from isocenter.training.recipes.miqanet import MiqanetRecipe

__all__ = ["RECIPE", "MiqanetRatedRecipe", "agreement_of_folds", "scaled"]

RATINGS, IMAGES = "ratings.csv", "images"
SPAN = 4.0
"""What the best opinion becomes, the worst being 0: about the range of the simulated quality, so
that a network which begins from that need not shrink first."""
FAINTEST, BRIGHTEST = 0.005, 0.995
"""Percentiles of a picture that become 0 and 1."""
FIGURES = ("srocc", "plcc_fitted", "krocc", "rmse")


@dataclass(frozen=True)
class MiqanetRatedRecipe(Recipe):
    """Everything that decides the weights, but for the data folder."""

    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            n_steps=400,
            batch=16,
            learning_rate=5e-4,
            warm_up=40,
            average=0.99,
            precision="bf16",
            validate_every=100,
        )
    )
    fold: int = 0
    """Reference that is left out, counted in the order of the table; the next one validates."""
    start: str | None = None
    """Weights of the recipe ``miqanet`` to begin from; random ones when not given."""
    config: Config = field(default_factory=lambda: MiqanetRecipe().config)

    def people(self, data: Path) -> tuple[str, ...]:
        """Every reference: images of one stay together as scans of a person do."""
        return tuple(sorted({_reference(data, row) for row in _rated(data).rows}))

    def split(self, data: Path) -> Split:
        """One reference to test, the next to validate, the others to learn from.

        Raises:
            UsageError: Fewer than three references, or no such fold.
        """
        rows = _rated(data).rows
        names = list(dict.fromkeys(_reference(data, row) for row in rows))
        if len(names) < 3:
            raise UsageError(f"{data} has {len(names)} references: to leave one out takes three")
        if not 0 <= self.fold < len(names):
            raise UsageError(f"fold is {self.fold}: {data} has folds 0 to {len(names) - 1}")
        test, validation = names[self.fold], names[(self.fold + 1) % len(names)]
        train = sorted(set(names) - {test, validation})
        return {"train": tuple(train), "validation": (validation,), "test": (test,)}

    def task(self, data: Path, split: Split, scratch: Path) -> Task:
        """Crops of pictures; ``scratch`` is not used."""
        low, high = _range(data, split["test"])
        n_steps, batch = self.schedule.n_steps, self.schedule.batch
        rows = _of(data, split["train"])
        opinions = torch.tensor([SPAN * (row.mos - low) / (high - low) for row in rows])
        images = [_picture(row, self.config.side) for row in rows]
        examples = _Crops(images, opinions, self.config.side, n_steps * batch, self.seed)
        validate = partial(self._validate, data=data, people=split["validation"])
        loss = partial(_loss, n_inputs=self.config.n_inputs)
        return Task(self._net(), examples, loss, validate)

    def _net(self) -> nn.Module:
        net = replace(MiqanetRecipe(), seed=self.seed, config=self.config).net()
        if self.start is not None:
            checkpoint = Checkpoint.load(self.start)
            if checkpoint.net != "miqanet":
                raise BadCheckpoint(f"{self.start} holds {checkpoint.net!r}; give a MIQANet")
            checkpoint.load_into(net)
        return net

    def _validate(self, net: nn.Module, *, data: Path, people: Sequence[str]) -> dict[str, float]:
        rows = _of(data, people)
        said = self._said(net, rows).double().numpy()
        return {"SROCC": srocc(said, np.array([row.mos for row in rows]))}

    def _said(self, net: nn.Module, rows: Sequence[RatedImage]) -> Tensor:
        """(rows,) what the network says of each picture, 0 to about ``SPAN``."""
        pictures_here = [_picture(row, self.config.side)[None] for row in rows]
        return torch.cat([judge_slices(net, each, self.config) for each in pictures_here])

    def answers(
        self, net: nn.Module, data: Path, people: Sequence[str], say: Callable[[str], None]
    ) -> Outcomes:
        """Opinion of every picture of some references, on the table's own scale."""
        rows = _of(data, people)
        low, high = _range(data, self.split(data)["test"])
        said = low + (high - low) * self._said(net, rows).double().numpy() / SPAN
        say(f"{len(rows)} images of {', '.join(people)}")
        return Outcomes(
            kind="values",
            people=tuple(_reference(data, row) for row in rows),
            items=tuple(row.image.name for row in rows),
            truth=np.array([row.mos for row in rows]),
            outputs=said[:, None],
            columns=("estimate",),
        )

    def checkpoint(self, net: nn.Module, card: Mapping[str, Any]) -> Checkpoint:
        """The network; what it says is an opinion, not a simulated quality."""
        whole = MiqanetRecipe(config=self.config).checkpoint(net, card)
        outputs = {"quality": {"of": "opinion", "better": "higher", "range": [0, SPAN]}}
        return replace(whole, outputs=outputs)


RECIPE = MiqanetRatedRecipe


def agreement_of_folds(folds: Sequence[Outcomes]) -> dict[str, tuple[float, float, float]]:
    """Median and quartiles over folds of the agreement with opinions.

    Args:
        folds: Answers of each fold on its own test reference.

    Returns:
        For ``srocc``, ``plcc_fitted``, ``krocc`` and ``rmse`` the median, the lower and the
        upper quartile; ``plcc_fitted`` and ``rmse`` after a logistic fit of four parameters.
    """
    found = [
        measure_agreement(fold.outputs[:, 0], fold.truth, better="higher", kind="logistic4")
        for fold in folds
    ]
    quartiles = {}
    for name in FIGURES:
        values = [getattr(one, name) for one in found]
        low, middle, high = map(float, np.nanpercentile(values, [25, 50, 75]))
        quartiles[name] = (middle, low, high)
    return quartiles


class _Crops(Dataset[tuple[Tensor, Tensor]]):
    """Crops of pictures by (seed, index), every picture once before any comes again."""

    def __init__(
        self, images: Sequence[Tensor], opinions: Tensor, side: int, length: int, seed: int
    ) -> None:
        self.images, self.opinions, self.side = images, opinions, side
        self.length, self.seed = length, seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        round_number, within = divmod(index, len(self.images))
        order = child(generator(self.seed), "order", round_number)
        which = int(torch.randperm(len(self.images), generator=order)[within])
        rng = child(generator(self.seed), "crop", index)
        crop = turned(cropped(self.images[which][None], self.side, rng), rng)[0]
        return crop, self.opinions[which]


def scaled(image: Tensor, side: int) -> Tensor:
    """A picture with its percentiles 0.5 and 99.5 at 0 and 1, edges repeated up to ``side``.

    Args:
        image: (height, width), any units.
        side: Least height and width of the result.
    """
    # Sorting copes with large pictures, which torch.quantile refuses.
    values = image.flatten().sort().values
    at = [round(share * (len(values) - 1)) for share in (FAINTEST, BRIGHTEST)]
    low, high = (float(values[i]) for i in at)
    even = ((image - low) / max(high - low, 1e-12)).clamp(0, 1)
    missing = [max(0, side - length) for length in image.shape]
    top, left = (length // 2 for length in missing)
    padding = (left, missing[1] - left, top, missing[0] - top)
    return F.pad(even[None, None], padding, mode="replicate")[0, 0]


def _loss(net: nn.Module, batch: tuple[Tensor, Tensor], *, n_inputs: int) -> Tensor:
    """Mean squared error, as published."""
    crops, wanted = batch
    return F.mse_loss(net(pictures(crops, n_inputs))[:, 0].float(), wanted)


@cache
def _rated(data: Path) -> RatedSet:
    return read_ratings(data / RATINGS, data / IMAGES)


def _reference(data: Path, row: RatedImage) -> str:
    return row.reference.relative_to(data / IMAGES).with_suffix("").as_posix()


def _of(data: Path, references: Sequence[str]) -> tuple[RatedImage, ...]:
    return tuple(row for row in _rated(data).rows if _reference(data, row) in set(references))


def _range(data: Path, left_out: Sequence[str]) -> tuple[float, float]:
    """Worst and best opinion of the references that are not left out."""
    opinions = [row.mos for row in _rated(data).rows if _reference(data, row) not in left_out]
    low, high = min(opinions), max(opinions)
    if low == high:
        raise InputError(f"{data / RATINGS}: all opinions are {low:g}; nothing can be learned")
    return low, high


def _picture(row: RatedImage, side: int) -> Tensor:
    image = read_grey(row.image)
    if image.ndim != 2:
        raise InputError(f"{row.image}: a volume; rate and give single slices")
    return scaled(image, side)
