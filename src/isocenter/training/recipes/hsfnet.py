"""The distortion benchmark of HSFNet: artifact and level of people never seen, 21 classes.

Every image is drawn on the fly from (person, scan, artifact, level, seed), as ``isocenter
simulate`` writes it.  ``protocol="people"`` is the honest one; ``"files"`` deals the images
themselves to folds, as published, so that all versions of a brain stand on both sides.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.artifacts import PRISTINE, Version, benchmark_versions
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.random import child, generator
from isocenter.datasets.scan import Scan
from isocenter.errors import NothingFound, UsageError
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.recipe import Recipe, Task
from isocenter.training.engine.schedule import Schedule
from isocenter.training.engine.splits import Split, split_people
from isocenter.training.inputs.benchmark_inputs import (
    Examples,
    Inputs,
    Preparation,
    Prepared,
    collated,
)
from isocenter.training.inputs.benchmark_scans import Image, benchmark_scans
from isocenter.training.networks.benchmark_nets import (
    BenchmarkNet,
    Net,
    Sizes,
    build_net,
    config_values,
    summed_loss,
)
from isocenter.training.recipes.assessor import AssessorRecipe

__all__ = [
    "ARTIFACTS",
    "N_FOLDS",
    "RECIPE",
    "Benchmark",
    "HSFNetRecipe",
    "fit_temperature",
    "logits_of",
]

ARTIFACTS = ("blur", "ghosting", "motion", "noise", "spike")
"""Of the published benchmark, in the order of its labels."""
N_FOLDS = 5
AT_ONCE = 16
"""Images of one forward pass when answering."""


@dataclass(frozen=True)
class Benchmark(Recipe):
    """Abstract: images of a benchmark, their people and folds, and what is said of them."""

    source: str = "brains"
    """Folders of the collection or layouts of data sets, joined by ``+``."""
    preset: Literal["physical", "hsfnet-2025"] = "physical"
    protocol: Literal["people", "files", "shipped"] = "people"
    """How sides are dealt: whole people; single images (published, leaky); or the people whom
    the shipped network was trained, validated and tested on."""
    fold: int = 0
    """Which fifth is tested."""
    n_people: int | None = None
    """The first so many people by name; all when ``none``."""
    n_learned: int | None = None
    """So many people to learn from and to validate on, and everybody else is tested; folds when
    ``none``."""
    learned_by: Literal["name", "seed"] = "name"
    """Which people ``n_learned`` counts: the first by name, or any, as the seed deals them."""
    n_draws: int = 1
    """How often each version of training people is drawn; the first as in the benchmark."""
    benchmark_seed: int = 0
    """That of ``isocenter simulate``."""
    crop: tuple[int, int, int] | None = None
    """Cut the middle out of every scan before it is damaged, as ``isocenter simulate --crop``."""
    padded: bool = False
    """Put cropped scans back into a field of view first."""
    inputs: Inputs = field(default_factory=Inputs)
    cache: str = ""
    """Folder for prepared images, shared by runs; the run's own scratch when empty."""

    def __post_init__(self) -> None:
        if not 0 <= self.fold < N_FOLDS:
            raise UsageError(f"fold is {self.fold}: give 0 to {N_FOLDS - 1}")
        if self.n_learned is None:
            return
        if self.n_learned < 2:
            raise UsageError(f"n_learned is {self.n_learned}: one learns, one validates, give 2")
        if self.fold or self.protocol != "people":
            raise UsageError(
                f"n_learned tests everybody else: leave fold at 0 and protocol at 'people', "
                f"not {self.fold} and {self.protocol!r}"
            )

    def classes(self) -> tuple[str, ...]:
        """Names of the 21 classes, in the order of the outputs."""
        return tuple(
            v.artifact if v.artifact == PRISTINE else f"{v.artifact}_{v.level}"
            for v in _versions(self.preset)
        )

    def label(self, image: Image) -> int:
        """Class of an image."""
        return _versions(self.preset).index(image.version)

    def scans(self, data: Path) -> tuple[Scan, ...]:
        """The clean scans of the chosen people."""
        found = benchmark_scans(data, self.source)
        people = sorted({scan.person for scan in found})
        if self.n_people is not None:
            if self.n_people > len(people):
                raise NothingFound(f"{self.n_people} people asked for, {len(people)} in {data}")
            people = people[: self.n_people]
        return tuple(scan for scan in found if scan.person in people)

    def images(self, data: Path) -> dict[str, list[Image]]:
        """The benchmark's images by the unit that splits deal: person, or single image."""
        units: dict[str, list[Image]] = {}
        for scan in self.scans(data):
            for version in _versions(self.preset):
                image = Image(scan, version, self.benchmark_seed)
                unit = f"{scan.person}: {image.name}" if self.protocol == "files" else scan.person
                units.setdefault(unit, []).append(image)
        return units

    def people(self, data: Path) -> tuple[str, ...]:
        """Everybody, or every image under the protocol ``files``."""
        return tuple(sorted(self.images(data)))

    def split(self, data: Path) -> Split:
        """The fold's test units, or all that are not learned from; a tenth of the others, at
        least one, for validation."""
        units = self.people(data)
        if self.protocol == "shipped":
            return _shipped_split(units, self.source)
        if self.n_learned is None and len(units) < N_FOLDS:
            raise NothingFound(f"{len(units)} people cannot be dealt to {N_FOLDS} folds")
        return self.dealt(units, N_FOLDS, 0.1)

    def dealt(self, units: Sequence[str], n_folds: int, share: float) -> Split:
        """Sides of units: those tested, and ``share`` of the others, at least one, to validate.

        Raises:
            NothingFound: ``n_learned`` leaves nobody to test.
        """
        order = _shuffled(units, self.seed, "folds")
        if self.n_learned is None:
            test = order[self.fold % n_folds :: n_folds]
        else:
            test = (sorted(order) if self.learned_by == "name" else order)[self.n_learned :]
        if not test:
            raise NothingFound(
                f"{self.n_learned} people to learn from of {len(units)}: nobody is left to test"
            )
        rest = [unit for unit in order if unit not in set(test)]
        n_validation = max(1, round(share * len(rest)))
        sides = {"train": rest[n_validation:], "validation": rest[:n_validation], "test": test}
        return {side: tuple(sorted(members)) for side, members in sides.items()}

    def preparation(self, folder: Path | None, wanted: Sequence[str] = ()) -> Preparation:
        """What makes the inputs of images."""
        kept = Path(self.cache) if self.cache else folder
        return Preparation(
            self.inputs,
            padded=self.padded,
            seed=self.seed,
            folder=kept,
            wanted=wanted,
            crop=self.crop,
        )

    def learned(self, data: Path, units: Sequence[str]) -> list[Image]:
        """The images of training units, with further draws of each but the pristine ones."""
        known = self.images(data)
        images = [image for unit in units for image in known[unit]]
        return images + [
            replace(image, seed=self.benchmark_seed + draw)
            for draw in range(1, self.n_draws)
            for image in images
            if image.version.artifact != PRISTINE
        ]

    def outcomes(self, images: Sequence[Image], logits: Tensor, temperature: float) -> Outcomes:
        """Probabilities beside the truth."""
        return Outcomes(
            kind="classes",
            people=tuple(image.scan.person for image in images),
            items=tuple(image.name for image in images),
            truth=np.array([self.label(image) for image in images], np.float64),
            outputs=(logits.double() / temperature).softmax(1).numpy(),
            columns=self.classes(),
        )


@dataclass(frozen=True)
class HSFNetRecipe(Benchmark):
    """HSFNet, its ablations and residual networks on the distortion benchmark."""

    schedule: Schedule = field(
        default_factory=lambda: Schedule(n_steps=2000, batch=16, validate_every=100)
    )
    net: Net = "improved"
    sizes: Sizes = field(default_factory=Sizes)
    n_seen: int | None = None
    """Slabs of an image that a training step shows, drawn anew each time; all when ``none``."""

    def task(self, data: Path, split: Split, scratch: Path) -> Task:
        """Images drawn on the fly, prepared once; the best weights by validation people."""
        images = self.learned(data, split["train"])
        prepared = self.preparation(scratch, self.wanted())
        examples = Examples(
            images,
            [self.label(image) for image in images],
            prepared,
            seed=self.seed,
            length=self.schedule.n_steps * self.schedule.batch,
            varied=partial(_varied, n_seen=self.n_seen) if "slabs" in self.wanted() else None,
        )
        known = self.images(data)
        watched = [image for unit in split["validation"] for image in known[unit]]
        validate = partial(_figures, self, prepared, watched)
        return Task(self.build(), examples, _loss, validate, collated)

    def answers(
        self, net: nn.Module, data: Path, people: Sequence[str], say: Callable[[str], None]
    ) -> Outcomes:
        """Class probabilities, at the temperature that suits validation units best."""
        known, prepared = self.images(data), self.preparation(None, self.wanted())
        watched = [image for unit in self.split(data)["validation"] for image in known[unit]]
        labels = torch.tensor([self.label(image) for image in watched])
        temperature = fit_temperature(logits_of(net, prepared, watched), labels)
        say(f"temperature {temperature:.2f}")
        asked = [image for unit in people for image in known[unit]]
        return self.outcomes(asked, logits_of(net, prepared, asked, say), temperature)

    def checkpoint(self, net: nn.Module, card: Mapping[str, Any]) -> Checkpoint:
        """The network with what it takes and says."""
        stacked = "stack" in self.wanted()
        preprocess = self.inputs.stack if stacked else self.inputs.slabs
        return Checkpoint(
            net="resnet" if self.net.startswith("resnet") else "hsfnet",
            config=config_values(cast(BenchmarkNet, net)),
            preprocess=preprocess.to_json(),
            outputs={"classes": {"of": list(self.classes())}},
            calibration={},
            card=card,
            tensors=net.state_dict(),
        )

    def wanted(self) -> tuple[str, ...]:
        """Inputs that the network takes."""
        taken: dict[str, tuple[str, ...]] = {
            "improved": ("slabs", "facts", "damage"),
            "slabs": ("slabs", "facts"),
            "facts": ("facts", "damage"),
        }
        return taken.get(self.net, ("stack",))

    def build(self) -> BenchmarkNet:
        """The network with drawn weights."""
        return build_net(
            self.net,
            n_outputs=len(self.classes()),
            n_slices=self.inputs.stack.n_slices,
            sizes=self.sizes,
            slabs=self.inputs.slabs,
            seed=self.seed,
        )


RECIPE = HSFNetRecipe


@torch.no_grad()
def logits_of(
    net: nn.Module,
    prepared: Callable[[Image], Prepared],
    images: Sequence[Image],
    say: Callable[[str], None] = lambda line: None,
) -> Tensor:
    """(images, classes), on the CPU; the network is in evaluation mode."""
    device = next(net.parameters()).device
    rows = []
    for first in range(0, len(images), AT_ONCE):
        batch = collated([prepared(image) for image in images[first : first + AT_ONCE]])
        rows.append(net({k: v.to(device) for k, v in batch.items()})[0].float().cpu())
        say(f"{min(first + AT_ONCE, len(images))} of {len(images)} images")
    return torch.cat(rows)


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The divisor of the logits under which the labels are most likely.

    Source: Guo et al., ICML 2017, section 4.2.

    Args:
        logits: (rows, classes).
        labels: (rows,).

    Returns:
        0.05 to 20; one of a fine grid, 1 among it, so never worse than no scaling.
    """
    grid = torch.logspace(np.log10(0.05), np.log10(20.0), 241, dtype=torch.float64)
    losses = [float(F.cross_entropy(logits.double() / t, labels)) for t in grid]
    return float(grid[int(np.argmin(losses))])


def _loss(net: nn.Module, batch: Prepared) -> Tensor:
    return summed_loss(net(batch), batch["label"])


def _figures(
    recipe: HSFNetRecipe, prepared: Preparation, images: Sequence[Image], net: nn.Module
) -> dict[str, float]:
    """Likelihood first: with few people the share of right ones moves in large steps."""
    labels = torch.tensor([recipe.label(image) for image in images])
    logits = logits_of(net, prepared, images)
    right = float((logits.argmax(1) == labels).float().mean())
    return {"log likelihood": -float(F.cross_entropy(logits, labels)), "accuracy": right}


def _varied(example: Prepared, rng: torch.Generator, *, n_seen: int | None) -> Prepared:
    """Some of the slabs, each the other way round now and then: sides carry no quality."""
    slabs, facts = example["slabs"], example["facts"]
    if n_seen is not None:
        chosen = torch.randperm(len(slabs), generator=rng)[:n_seen]
        slabs, facts = slabs[chosen], facts[chosen]
    for axis in (-1, -2):
        if float(torch.rand((), generator=rng)) < 0.5:
            slabs = slabs.flip(axis)
    return {**example, "slabs": slabs, "facts": facts}


@cache
def _versions(preset: str) -> tuple[Version, ...]:
    """Kept, since every look at the registry lists all installed packages."""
    return benchmark_versions(preset, ARTIFACTS)


def _shuffled(units: Sequence[str], seed: int, name: str) -> list[str]:
    """An order of the units' own, whatever order they come in."""
    rng = child(generator(seed), name)
    return sorted(units, key=lambda unit: float(torch.rand((), generator=child(rng, unit))))


def _shipped_split(people: Sequence[str], source: str) -> Split:
    shipped = AssessorRecipe()
    fixed = dict(shipped.fixed)
    names = [f"{source}/{person}" for person in people]
    dealt = split_people(
        names,
        dict(shipped.shares),
        rng=child(generator(shipped.seed), "split", source),
        fixed={name: fixed[name] for name in names if name in fixed},
    )
    return {side: tuple(name.split("/", 1)[1] for name in some) for side, some in dealt.items()}
