"""A network of the distortion benchmark on another data set: untouched, or with a new head.

``zero-shot``: the network as it is; only its temperature is fitted, on validation people of the
data set that it was trained on.  ``probe``: everything but the last layers stays as it is, and
those are learned anew from training people of the target.  The published code calls the second
a cross-dataset test; the two are named apart here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.data.checkpoint import Checkpoint
from isocenter.errors import UsageError
from isocenter.nets._blocks.initial import drawn
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.recipe import Task
from isocenter.training.engine.run import Run
from isocenter.training.engine.schedule import Schedule
from isocenter.training.engine.splits import Split
from isocenter.training.inputs.benchmark_inputs import Examples, Preparation, Prepared, collated
from isocenter.training.inputs.benchmark_scans import Image
from isocenter.training.networks.benchmark_nets import BenchmarkNet, config_values
from isocenter.training.recipes.hsfnet import (
    N_FOLDS,
    Benchmark,
    HSFNetRecipe,
    fit_temperature,
    logits_of,
)

__all__ = ["RECIPE", "CrossDatasetRecipe", "Judge", "Seen"]

HIDDEN = 128
FEWEST = 3
"""People of a target: one to learn from, one to watch, one to test."""


class Judge(nn.Module):
    """A frozen network and what is fitted to it: a temperature, or a new head.

    Args:
        frozen: The trained network; never changed, always in evaluation mode.
        head: From its features to logits; ``None`` keeps the network's own last layers.
    """

    def __init__(self, frozen: BenchmarkNet, head: nn.Module | None) -> None:
        super().__init__()
        self.frozen = frozen.requires_grad_(False).eval()
        self.head = head
        self.log_temperature = nn.Parameter(torch.zeros(()), requires_grad=head is None)

    def train(self, mode: bool = True) -> Self:
        """Also in training the frozen network keeps its statistics."""
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, batch: Prepared) -> list[Tensor]:
        """Class logits (B, n_classes) of prepared images, or of what :class:`Seen` kept of them."""
        seen = batch["seen"] if "seen" in batch else self.seen(batch)
        logits = seen if self.head is None else self.head(seen)
        return [logits / self.log_temperature.exp()]

    @torch.no_grad()
    def seen(self, batch: Prepared) -> Tensor:
        """What the frozen network says, (B, n): class logits, or features for the head."""
        return self.frozen.features(batch) if self.head is not None else self.frozen(batch)[0]


class Seen:
    """What the frozen network says of images, asked once of each.

    Args:
        judge: Its network; on the CPU, since examples may be made in processes of their own.
        prepared: Makes or finds the inputs.
    """

    def __init__(self, judge: Judge, prepared: Preparation) -> None:
        self.judge, self.prepared = judge, prepared
        self._memory: dict[Image, Tensor] = {}

    def __call__(self, image: Image) -> Prepared:
        """An example of :class:`Judge`."""
        if image not in self._memory:
            self._memory[image] = self.judge.seen(collated([self.prepared(image)]))[0].float()
        return {"seen": self._memory[image]}


@dataclass(frozen=True)
class CrossDatasetRecipe(Benchmark):
    """Zero-shot or probe: a run of the recipe hsfnet, judged on another data set."""

    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            n_steps=200, batch=16, warm_up=10, average=0.98, validate_every=50
        )
    )
    source: str = "ms"
    """The target; as in the recipe hsfnet."""
    run: str = ""
    """Folder of the finished run of the recipe hsfnet."""
    mode: Literal["zero-shot", "probe"] = "zero-shot"

    @cached_property
    def before(self) -> Run:
        """The run whose network is judged.

        Raises:
            UsageError: None was given, or one of another recipe.
        """
        if not self.run:
            raise UsageError("run is empty: give the folder of a run of the recipe hsfnet")
        run = Run.load(Path(self.run))
        if not isinstance(run.recipe, HSFNetRecipe):
            raise UsageError(f"{self.run} trained {run.name!r}: give a run of the recipe hsfnet")
        return run

    @cached_property
    def trained(self) -> HSFNetRecipe:
        """What that run was."""
        recipe = cast(HSFNetRecipe, self.before.recipe)
        if recipe.preset != self.preset or recipe.inputs != self.inputs:
            raise UsageError(
                f"{self.run} has preset {recipe.preset} and {recipe.inputs}: give the same here"
            )
        return recipe

    def split(self, data: Path) -> Split:
        """As the recipe hsfnet deals people to folds, with three folds where people are few.

        Both modes are tested on the same people; zero-shot leaves the others alone.
        """
        units = self.people(data)
        if len(units) < FEWEST:
            raise UsageError(f"{self.source} has {len(units)} people, {FEWEST} are needed")
        return self.dealt(units, min(N_FOLDS, len(units)), 0.2)

    def task(self, data: Path, split: Split, scratch: Path) -> Task:
        """A temperature from the trained data set's validation people, or a head from the
        target's training people."""
        seen = Seen(self.build(), self.preparation(scratch, self.trained.wanted()))
        watched = self._watched(data)
        images = watched if self.mode == "zero-shot" else self.learned(data, split["train"])
        examples = Examples(
            images,
            [self.label(image) for image in images],
            seen,
            seed=self.seed,
            length=self.schedule.n_steps * self.schedule.batch,
        )
        validate = partial(_likelihood, self, seen, watched)
        return Task(self.build(), examples, _loss, validate, collated)

    def answers(
        self, net: nn.Module, data: Path, people: Sequence[str], say: Callable[[str], None]
    ) -> Outcomes:
        """Class probabilities of the target's people, at the temperature that suits the
        validation people best: the probe's own, or those of the data set trained on."""
        prepared, known = self.preparation(None, self.trained.wanted()), self.images(data)
        watched = self._watched(data)
        labels = torch.tensor([self.label(image) for image in watched])
        temperature = fit_temperature(logits_of(net, prepared, watched), labels)
        asked = [image for unit in people for image in known[unit]]
        return self.outcomes(asked, logits_of(net, prepared, asked, say), temperature)

    def build(self) -> Judge:
        """The trained network with what is fitted to it."""
        net = self.trained.build()
        Checkpoint.load(self.before.model).load_into(net)
        if self.mode == "zero-shot":
            return Judge(net, None)
        make = partial(_new_head, net.n_features, len(self.classes()))
        return Judge(net, drawn(make, seed=self.seed, name="probe"))

    def checkpoint(self, net: nn.Module, card: Mapping[str, Any]) -> Checkpoint:
        """The frozen network and what was fitted."""
        frozen = cast(Judge, net).frozen
        return replace(
            self.trained.checkpoint(frozen, card),
            config=config_values(frozen) | {"judge": self.mode},
            tensors=net.state_dict(),
        )

    def _watched(self, data: Path) -> list[Image]:
        """Images of validation people: the trained data set's, or for a probe the target's."""
        run = self.before
        if self.mode == "zero-shot":
            known, people = self.trained.images(run.data), run.split()["validation"]
        else:
            known, people = self.images(data), self.split(data)["validation"]
        return [image for unit in people for image in known[unit]]


RECIPE = CrossDatasetRecipe


def _new_head(n_features: int, n_classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(n_features),
        nn.Linear(n_features, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, n_classes),
    )


def _loss(net: nn.Module, batch: Prepared) -> Tensor:
    return F.cross_entropy(net(batch)[0].float(), batch["label"])


def _likelihood(
    recipe: Benchmark, seen: Seen, images: Sequence[Image], net: nn.Module
) -> dict[str, float]:
    labels = torch.tensor([recipe.label(image) for image in images])
    return {"log likelihood": -float(F.cross_entropy(logits_of(net, seen, images), labels))}
