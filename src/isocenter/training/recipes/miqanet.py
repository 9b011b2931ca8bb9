"""MIQANet on simulated damage: the quality of slices, and by their mean that of a scan.

The shipped network is a small one on one plane at a time; ``config`` takes the published sizes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.assessors._outputs import quality_to_target, target_to_quality
from isocenter.assessors._pictures import judge_slices, pictures
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.preprocess import Slabs
from isocenter.data.public_weights import find
from isocenter.datasets.collection import Source, sources
from isocenter.errors import UsageError
from isocenter.nets._blocks.pretrained import load_resnet, load_vit
from isocenter.nets.miqanet import Config, MIQANet, build
from isocenter.statistics import srocc
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.recipe import Recipe, Task
from isocenter.training.engine.schedule import Schedule
from isocenter.training.engine.splits import Split
from isocenter.training.inputs.slices import (
    VERSIONS,
    Slices,
    SliceSet,
    VersionSlices,
    slices_of_versions,
)
from isocenter.training.recipes.assessor import AssessorRecipe

__all__ = ["RECIPE", "MiqanetRecipe", "collate", "loss_of", "truth_of"]


@dataclass(frozen=True)
class MiqanetRecipe(Recipe):
    """Everything that decides the weights, but for the data folder."""

    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            n_steps=1000,
            batch=32,
            learning_rate=1e-3,
            warm_up=50,
            average=0.99,
            precision="bf16",
            validate_every=1000,
        )
    )
    n_scans: int = 600
    """Simulated scans."""
    n_kept: int = 24
    """Slices kept of each."""
    n_slices: int = 1
    """Slices of an example."""
    thinning: int = 4
    """Every so many slices of validation scans are looked at."""
    vit_weights: str | None = None
    """Public weights of the transformer: a file, or a name of ``isocenter models list``."""
    cnn_weights: str | None = None
    """Public weights of the residual network."""
    preprocess: Slabs = field(default_factory=lambda: Slabs(side=128, n_slices=1))
    config: Config = field(
        default_factory=lambda: Config(
            mode="improved",
            side=96,
            n_inputs=2,
            width=32,
            depth=2,
            n_heads=4,
            taps=(0, 1),
            n_tabs=1,
            swin_depths=(2,),
            swin_hidden=32,
            drop=0.0,
            drop_path=0.05,
            scale=0.8,
            scramble=False,
            cnn_width=16,
            first_alpha=0.2,
            last="softplus",
        )
    )

    def people(self, data: Path) -> tuple[str, ...]:
        """Everybody in the folders of the collection."""
        return tuple(sorted({source.person for source in sources(data)}))

    def split(self, data: Path) -> Split:
        """As the recipe ``assessor`` deals them: both networks have seen the same people."""
        return AssessorRecipe(seed=self.seed).split(data)

    def task(self, data: Path, split: Split, scratch: Path) -> Task:
        """Slices of scans that are simulated once and kept in ``scratch``."""
        scans, versions = scratch / "scans", scratch / "versions"
        for folder in (scans, versions):
            folder.mkdir(parents=True, exist_ok=True)
        examples = SliceSet(
            _of(data, split["train"]),
            self.preprocess,
            n_scans=self.n_scans,
            n_kept=self.n_kept,
            n_slices=self.n_slices,
            side=self.config.side,
            length=self.schedule.n_steps * self.schedule.batch,
            seed=self.seed,
            folder=scans,
        )

        def validate(net: nn.Module) -> Mapping[str, float]:
            return self._validate(net, _of(data, split["validation"]), versions)

        loss = partial(loss_of, n_inputs=self.config.n_inputs)
        return Task(self.net(), examples, loss, validate, collate)

    def net(self) -> MIQANet:
        """The network before training."""
        net = build(self.config, seed=self.seed)
        if self.vit_weights is not None:
            load_vit(net.vit, find(self.vit_weights))
        if self.cnn_weights is not None:
            if net.cnn is None:
                raise UsageError("cnn_weights are given, but config.cnn is off: leave one of them")
            load_resnet(net.cnn, find(self.cnn_weights))
        return net

    def _validate(
        self, net: nn.Module, scans: Sequence[Source], folder: Path
    ) -> Mapping[str, float]:
        said, true = [], []
        for source in scans:
            thin = _every(self.thinning, self.versions(source, folder))
            said.append(self.estimate(net, thin))
            true.append(truth_of(thin))
        return {"SROCC": srocc(torch.cat(said).numpy(), torch.cat(true).numpy())}

    def estimate(self, net: nn.Module, made: VersionSlices) -> Tensor:
        """What the network says of each version: (V,) mean quality of its slices, 0 to 1."""
        said = torch.full(made.shown.shape, torch.nan)
        judged = judge_slices(net, made.slices[made.shown], self.config)
        said[made.shown] = target_to_quality(judged)
        return said.nanmean(1)

    def versions(self, source: Source, folder: Path | None = None) -> VersionSlices:
        """Every version of a scan, in slices; kept in ``folder`` when there is one."""
        return slices_of_versions(source, self.preprocess, seed=self.seed, folder=folder)

    def answers(
        self, net: nn.Module, data: Path, people: Sequence[str], say: Callable[[str], None]
    ) -> Outcomes:
        """Quality of every version of every scan under the preset ``physical``, uncalibrated."""
        rows: list[tuple[str, str, float, float]] = []
        for source in _of(data, people):
            made = self.versions(source)
            said, true = self.estimate(net, made).tolist(), truth_of(made).tolist()
            for (artifact, level), quality, truth in zip(VERSIONS, said, true, strict=True):
                item = f"{source.path.name} {artifact} {level}"
                rows.append((source.person, item, truth, quality))
            say(f"{source.person} {source.path.name}")
        names, items, truths, qualities = zip(*rows, strict=True)
        return Outcomes(
            kind="values",
            people=names,
            items=items,
            truth=np.array(truths),
            outputs=np.array(qualities)[:, None],
            columns=("estimate",),
        )

    def checkpoint(self, net: nn.Module, card: Mapping[str, Any]) -> Checkpoint:
        """The network before its calibration."""
        return Checkpoint(
            net="miqanet",
            config=asdict(self.config),
            preprocess=self.preprocess.to_json(),
            outputs={
                "quality": {"of": "-log(1 - SSIM + 0.003)", "better": "higher", "range": [0, 5.81]}
            },
            calibration={},
            card=card,
            tensors=net.state_dict(),
        )


def collate(examples: list[Slices]) -> Slices:
    """The slices of all examples in one row."""
    return Slices(
        torch.cat([example.slices for example in examples]),
        torch.cat([example.quality for example in examples]),
    )


def loss_of(net: nn.Module, batch: Slices, *, n_inputs: int) -> Tensor:
    """Smooth absolute error of the quality, over slices that show a head."""
    shown = ~batch.quality.isnan()
    said = net(pictures(batch.slices[shown].float(), n_inputs))[:, 0]
    wanted = quality_to_target(batch.quality[shown])
    return F.smooth_l1_loss(said.float(), wanted, beta=0.3)


def truth_of(made: VersionSlices) -> Tensor:
    """(V,) mean SSIM of each version's slices."""
    return made.quality.nanmean(1)


def _every(n: int, made: VersionSlices) -> VersionSlices:
    """Every n-th slice."""
    return replace(
        made,
        slices=made.slices[:, ::n],
        quality=made.quality[:, ::n],
        shown=made.shown[:, ::n],
    )


def _of(data: Path, people: Sequence[str]) -> tuple[Source, ...]:
    """Scans of some people."""
    return tuple(source for source in sources(data) if source.person in set(people))


RECIPE = MiqanetRecipe
