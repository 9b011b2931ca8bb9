"""The network that makes thin slices of thick ones, and says how sure it is.

What ships are two trainings in one file, ``band=low`` and ``band=high``, each on one core of a
processor; without a band one network learns every ratio.  ``net=aniso_unet ratio=4`` and the like
train one of the published networks on the same examples.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.preprocess import ThickScan
from isocenter.datasets.collection import sources
from isocenter.errors import UsageError
from isocenter.nets.banded_unet import BANDS
from isocenter.nets.slab_unet import LARGEST_RATIO, Config
from isocenter.training.answers.thick_scoring import answered, figures, watched
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.recipe import Recipe, Task
from isocenter.training.engine.schedule import Schedule
from isocenter.training.engine.splits import Split
from isocenter.training.inputs.packed_scans import pack_scans
from isocenter.training.inputs.thick_examples import Draws, ThickExample, ThickExamples
from isocenter.training.networks.thick_nets import FixedRatio, make_net
from isocenter.training.recipes.assessor import AssessorRecipe

__all__ = ["RECIPE", "SiqtRecipe", "loss_of"]

AIR = 0.02
"""Brightness under which a voxel counts as air."""
AIR_WEIGHT = 0.25
LEVELS = {"0.5": 0.6745, "0.8": 1.2816, "0.9": 1.6449, "0.95": 1.9600}
"""Half widths of a normal distribution's central intervals, in deviations."""


@dataclass(frozen=True)
class Loss:
    """How the mean and its deviation are taught."""

    floor: float = 0.02
    """Brightness that is added to the through-plane detail of a crop, in whose units errors count:
    else crops of strong contrast would teach alone."""
    variance: float = 0.1
    """Weight of the likelihood, which teaches the deviation and never the mean."""
    beta: float = 0.5
    """Power of the variance by which the likelihood is weighted (Seitzer et al.,
    arXiv:2203.09168)."""
    begin: float = 0.2
    """Part of the training before which the mean is taught alone."""


@dataclass(frozen=True)
class SiqtRecipe(Recipe):
    """Thick slices of scans and painted heads, and the thin ones that they were made from."""

    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            n_steps=24000,
            batch=16,
            optimizer="muon",
            learning_rate=3e-3,
            weight_decay=0.1,
            warm_up=100,
            average=0.999,
            precision="bf16",
            validate_every=1000,
            save_every=100,
        )
    )
    net: str = "slab_unet"
    config: Config = field(default_factory=Config)
    """Of ``slab_unet``."""
    ratio: int = 0
    """The only ratio that is drawn; 0: all of ``draws``."""
    band: Literal["all", "low", "high"] = "all"
    """Ratios of ``draws`` that are learned: up to 5, beyond, or all."""
    draws: Draws = field(default_factory=Draws)
    loss: Loss = field(default_factory=Loss)

    def people(self, data: Path) -> tuple[str, ...]:
        """Everybody in the folders of the collection."""
        return AssessorRecipe(seed=self.seed).people(data)

    def split(self, data: Path) -> Split:
        """People of each side, dealt as for the assessor."""
        return AssessorRecipe(seed=self.seed).split(data)

    def task(self, data: Path, split: Split, scratch: Path) -> Task:
        """Thin slices from thick ones."""
        net = make_net(self.net, self.config, self.ratio, seed=self.seed)
        known = watched(
            self._scans(data, split["validation"]),
            scratch / "validation.safetensors",
            ratios=self._told(),
            seed=self.seed,
        )
        return Task(
            net.to(memory_format=torch.channels_last) if self.net == "slab_unet" else net,  # type: ignore[call-overload]
            self.examples(data, split["train"], scratch / "train.safetensors"),
            partial(loss_of, loss=self.loss, halo=self.draws.halo),
            validate=partial(figures, known=known),
        )

    def examples(self, data: Path, people: Sequence[str], file: Path) -> ThickExamples:
        """Examples from the scans of some people.

        Args:
            data: Folder with the scans.
            people: Of one side.
            file: Where their scans are packed.
        """
        batch = self.schedule.batch
        return ThickExamples(
            pack_scans(self._scans(data, people), file),
            self._drawn(),
            batch=batch,
            length=batch * self.schedule.n_steps,
            seed=self.seed,
        )

    def answers(
        self, net: nn.Module, data: Path, people: Sequence[str], say: Callable[[str], None]
    ) -> Outcomes:
        """Brightness of some thin voxels of skull-stripped scans, beside the truth."""
        return answered(
            net,
            self._scans(data, people),
            ratios=self._told(),
            seed=self.seed,
            say=say,
        )

    def checkpoint(self, net: nn.Module, card: Mapping[str, Any]) -> Checkpoint:
        """The network with the brightness, the ratios and the noise that it knows."""
        inner: Any = net.inner if isinstance(net, FixedRatio) else net
        ratios = self._drawn().ratios
        least, most = self.draws.noise
        seen = ThickScan(ratios=(min(ratios), max(ratios)), least=least, most=most)
        return Checkpoint(
            net=self.net,
            config=asdict(inner.config),
            preprocess=seen.to_json(),
            outputs={"thin": ["mean", "log_variance"]},
            calibration={
                "deviation_scale": {str(ratio): 1.0 for ratio in range(2, 9)},
                "interval": LEVELS,
            },
            card=card,
            tensors=inner.state_dict(),
        )

    def _drawn(self) -> Draws:
        """The draws, of the wanted ratios alone.

        Raises:
            UsageError: None of them is of the band.
        """
        draws = self.draws
        if self.ratio:
            return replace(draws, ratios=(self.ratio,), ratio_weights=(1.0,))
        within = {"all": range(LARGEST_RATIO + 1), **BANDS}[self.band]
        pairs = [
            pair
            for pair in zip(draws.ratios, draws.ratio_weights, strict=True)
            if pair[0] in within
        ]
        if not pairs:
            raise UsageError(
                f"band is {self.band!r}, and draws.ratios {draws.ratios} has none of "
                f"{within.start} to {within.stop - 1}: give others, or another band"
            )
        ratios, weights = zip(*pairs, strict=True)
        return replace(draws, ratios=ratios, ratio_weights=weights)

    def _told(self) -> tuple[int, ...]:
        """Ratios by which the network is judged."""
        drawn = self._drawn().ratios
        return tuple(ratio for ratio in (4, 8) if ratio in drawn) or drawn

    def _scans(self, data: Path, people: Sequence[str]) -> tuple[Any, ...]:
        members = set(people)
        return tuple(source for source in sources(data) if source.person in members)


RECIPE = SiqtRecipe


def loss_of(net: nn.Module, batch: ThickExample, *, loss: Loss, halo: int) -> Tensor:
    """Charbonnier loss of the mean, and after a while the likelihood of what is left.

    Gradients of the likelihood do not reach the mean, so that the deviation cannot spoil it.
    """
    ratio = int(batch.ratio[0])
    said = net(batch.thick, ratio, halo=halo, inner=True)
    unit = loss.floor + _detail(batch.thin, ratio)
    weight = torch.where(batch.thin > AIR, 1.0, AIR_WEIGHT)
    error = said[:, 0] - batch.thin
    # Squared up to about one unit, linear beyond (Charbonnier).
    total: Tensor = (weight * (((error / unit).square() + 1).sqrt() - 1)).mean()
    if float(batch.done[0]) < loss.begin:
        return total
    log_variance = said[:, 1]
    likelihood = 0.5 * (log_variance + error.detach().square() * (-log_variance).exp())
    softened: Tensor = likelihood * (loss.beta * log_variance.detach()).exp() / unit
    return total + loss.variance * (weight * softened).mean()


def _detail(thin: Tensor, ratio: int) -> Tensor:
    """Standard deviation of thin slices around the mean of their thick one, (B, 1, 1, 1)."""
    blocks = thin.unflatten(-1, (-1, ratio))
    apart = (blocks - blocks.mean(-1, keepdim=True)).square().flatten(1)
    n_shown = (thin > AIR).flatten(1).sum(1).clamp_min(1)
    detail: Tensor = (apart.sum(1) / n_shown).sqrt()[:, None, None, None]
    return detail
