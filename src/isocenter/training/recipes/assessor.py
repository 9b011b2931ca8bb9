"""The shipped assessor: the improved HSFNet on simulated damage."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from isocenter.assessors._evidence import summed_quality
from isocenter.assessors._outputs import (
    OUTPUTS,
    PUBLISHED_CLASSES,
    TYPES,
    target_to_quality,
)
from isocenter.assessors.hsfnet import Assessor
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.preprocess import Slabs
from isocenter.data.random import child, generator
from isocenter.datasets.collection import Source, sources
from isocenter.nets.hsfnet import Config, build
from isocenter.ops.slabs import N_FACTS, compressed, spectra
from isocenter.training.answers.predictions import predict
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.recipe import Recipe, Task
from isocenter.training.engine.schedule import Schedule
from isocenter.training.engine.splits import Split, check_disjoint, split_people
from isocenter.training.inputs.examples import Example, ExampleSet, collate
from isocenter.training.networks.losses import Targets, loss_of

__all__ = ["RECIPE", "AssessorRecipe"]


@dataclass(frozen=True)
class AssessorRecipe(Recipe):
    """Slabs of heads with artifacts of known type, level and harm."""

    schedule: Schedule = field(
        default_factory=lambda: Schedule(n_steps=4200, batch=8, warm_up=150, precision="bf16")
    )
    n_slabs: int = 8
    """Slabs cut from every simulated scan."""
    sets: int = 2
    """Each example's slabs are dealt into this many sets, each judged as a scan of its own."""
    repeats: int = 3
    """How often every simulated scan is learned from."""
    preprocess: Slabs = field(default_factory=Slabs)
    config: Config = field(
        default_factory=lambda: Config(
            mode="improved",
            branches=("spatial", "spectrum"),
            n_inputs=3,
            n_features=(96, 96),
            n_outputs=sum(OUTPUTS.values()),
            dims=(48, 96, 192),
            depths=(1, 2, 1),
            n_states=4,
            drop_path=0.05,
            n_facts=N_FACTS,
            stem=16,
        )
    )
    shares: tuple[tuple[str, float], ...] = (("train", 0.6), ("validation", 0.15), ("test", 0.25))
    fixed: tuple[tuple[str, str], ...] = (
        # The only head with air around it that is not painted: it must be learned from.
        ("dicom/head", "train"),
        # The sample scan of the package stays unseen.
        ("brains/sub-67", "test"),
    )

    def people(self, data: Path) -> tuple[str, ...]:
        """Everybody in the folders of the collection."""
        return tuple(sorted({source.person for source in sources(data)}))

    def split(self, data: Path) -> Split:
        """People of each side; every data set is dealt for itself."""
        everybody = self.people(data)
        sides: dict[str, list[str]] = {side: [] for side, _ in self.shares}
        for folder in sorted({person.split("/")[0] for person in everybody}):
            people = [person for person in everybody if person.startswith(folder + "/")]
            fixed = {p: side for p, side in self.fixed if p in people}
            rng = child(generator(self.seed), "split", folder)
            dealt = split_people(people, dict(self.shares), rng=rng, fixed=fixed)
            for side, members in dealt.items():
                sides[side] += members
        split = {side: tuple(sorted(members)) for side, members in sides.items()}
        check_disjoint(split)
        return split

    def side(self, root: Path, side: str) -> tuple[Source, ...]:
        """Scans of the people on one side."""
        return _scans_of(root, self.split(root)[side])

    def task(self, data: Path, split: Split, scratch: Path) -> Task:
        """Simulated scans; each is made once and kept in ``scratch`` while it is learned from."""
        examples = ExampleSet(
            _scans_of(data, split["train"]),
            self.preprocess,
            n_slabs=self.n_slabs,
            length=self.schedule.n_steps * self.schedule.batch,
            seed=self.seed,
            repeats=self.repeats,
            folder=scratch,
        )
        loss = partial(_loss, sets=self.sets, preprocess=self.preprocess)
        return Task(build(self.config, seed=self.seed), examples, loss, collate=collate)

    def answers(
        self, net: nn.Module, data: Path, people: Sequence[str], say: Callable[[str], None]
    ) -> Outcomes:
        """Quality of every version of every scan under the preset ``physical``, uncalibrated."""
        device = str(next(net.parameters()).device)
        rows = predict(
            Assessor(self.checkpoint(net, {}), device),
            _scans_of(data, people),
            presets=("physical",),
            n_variants=1,
            seed=self.seed,
            say=say,
        )
        parts = [rows.column(name) for name in ("scan", "artifact", "level")]
        return Outcomes(
            kind="values",
            people=tuple(rows.column("person").tolist()),
            items=tuple(" ".join(item) for item in zip(*parts, strict=True)),
            truth=rows.quality.double().numpy(),
            outputs=target_to_quality(summed_quality(rows.outputs)).double().numpy()[:, None],
            columns=("quality",),
        )

    def checkpoint(self, net: nn.Module, card: Mapping[str, Any]) -> Checkpoint:
        """The network before its calibration."""
        outputs = {
            "levels": {"of": list(TYPES), "levels": [0, 1, 2, 3, 4], "size": OUTPUTS["levels"]},
            "published": {"of": [f"{a}_{v}" for a, v in PUBLISHED_CLASSES]},
            "quality": {"of": "-log(1 - SSIM + 0.003)", "better": "higher", "range": [0.0, 5.81]},
            "alone": {"of": list(TYPES), "each": "quality if the scan has this artifact alone"},
        }
        return Checkpoint(
            net="hsfnet",
            config=asdict(self.config),
            preprocess=self.preprocess.to_json(),
            outputs=outputs,
            calibration={},
            card=card,
            tensors=net.state_dict(),
        )


RECIPE = AssessorRecipe


def _scans_of(root: Path, people: Sequence[str]) -> tuple[Source, ...]:
    members = set(people)
    return tuple(source for source in sources(root) if source.person in members)


def _loss(net: nn.Module, batch: Example, *, sets: int, preprocess: Slabs) -> Tensor:
    slabs, facts, targets = _deal(batch, sets)
    output = net(compressed(slabs), spectra(slabs, preprocess), facts)
    return loss_of(output.scan.float(), output.slabs.float(), targets)


def _deal(batch: Example, sets: int) -> tuple[Tensor, Tensor, Targets]:
    """Deal the slabs of each example into sets: (B, S, ...) -> (B sets, S / sets, ...)."""

    def dealt(x: Tensor) -> Tensor:
        split: Tensor = x.unflatten(1, (sets, -1))
        return split.flatten(0, 1)

    def repeated(x: Tensor) -> Tensor:
        return x.repeat_interleave(sets, 0)

    targets = Targets(
        repeated(batch.levels),
        repeated(batch.present),
        repeated(batch.published),
        dealt(batch.quality),
    )
    return dealt(batch.slabs).float(), dealt(batch.facts), targets
