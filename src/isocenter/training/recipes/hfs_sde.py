"""HFS-SDE as it was published: a DDPM of scores, variance-preserving in the high frequencies.

arXiv:2208.05481.  The defaults are the published numbers, on the images of the recipe
``prior``; ``process`` and ``net`` make the other score models that it was compared with.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Complex64, Float32
from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.preprocess import ComplexImage
from isocenter.data.random import child, generator
from isocenter.diffusion.parametrisation import Parametrisation
from isocenter.diffusion.process import Process, VarianceExploding, VariancePreserving
from isocenter.diffusion.projector import Projector, Whole, low_columns
from isocenter.nets.ddpm import Config as DDPMConfig
from isocenter.nets.ddpm import build as build_ddpm
from isocenter.nets.ncsnpp import Config as NCSNppConfig
from isocenter.nets.ncsnpp import build as build_ncsnpp
from isocenter.restorers._prior import Prior
from isocenter.training.answers.denoising import answered
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.recipe import Recipe, Task
from isocenter.training.engine.schedule import Schedule
from isocenter.training.engine.splits import Split
from isocenter.training.inputs.complex_slices import (
    BRIGHTEST,
    FULL,
    ComplexSlices,
    NoisyImage,
    complex_image,
    sparing_noise,
)
from isocenter.training.recipes.prior import PriorRecipe

__all__ = ["RECIPE", "HfsSdeRecipe", "Timed", "TimedImages"]

EARLIEST = 1e-5
"""Smallest time that is learned from."""


class Timed(NamedTuple):
    """One example."""

    clean: Complex64[Tensor, "y x"]
    noise: Complex64[Tensor, "y x"]
    """White."""
    time: Float32[Tensor, ""]
    """From ``EARLIEST`` to 1."""


class TimedImages(Dataset[Timed]):
    """Images of a size, noise and times, each example by (seed, index) alone."""

    def __init__(self, slices: ComplexSlices, length: int) -> None:
        self.slices, self.length = slices, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Timed:
        rng = child(generator(self.slices.seed), "timed image", index)
        side = self.slices.side
        image = complex_image(self.slices.draw(rng), side, rng=rng)
        noise = sparing_noise(side, side, 0.0, rng=rng)
        return Timed(image, noise, EARLIEST + (1 - EARLIEST) * torch.rand((), generator=rng))


@dataclass(frozen=True)
class HfsSdeRecipe(Recipe):
    """Scores of complex images whose high frequencies alone are diffused, as published."""

    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            n_steps=300_000,
            batch=16,
            learning_rate=2e-4,
            weight_decay=0.0,
            warm_up=5000,
            average=0.9999,
            validate_every=5000,
            save_every=500,
        )
    )
    process: Literal["hfs", "vp", "ve"] = "hfs"
    """``hfs``: the high frequencies fade as noise grows in them; ``vp``: the whole image does;
    ``ve``: the image keeps its scale."""
    n_kept: int = 16
    """Columns in the middle of k-space that ``hfs`` leaves alone."""
    net: Literal["ddpm", "ncsnpp"] = "ddpm"
    ddpm: DDPMConfig = field(default_factory=DDPMConfig)
    ncsnpp: NCSNppConfig = field(default_factory=NCSNppConfig)
    side: int = 320
    """Of the images, pixels."""
    apart: float = 3.0
    """Distance between two slices of a scan that are learned from, mm."""
    n_watched: int = 16
    """Images of validation people whose loss is watched."""

    def parametrisation(self) -> Parametrisation:
        """What the network sees and says."""
        return Parametrisation(
            scaled="exploding" if self.process == "ve" else "preserving",
            said="score",
            logarithm=self.net == "ncsnpp",
            high_frequencies=self.process == "hfs",
        )

    def diffused(self) -> Process:
        """The process, over what it diffuses."""
        shape = (self.side, self.side)
        part: Projector = low_columns(shape, self.n_kept) if self.process == "hfs" else Whole()
        return VarianceExploding(part) if self.process == "ve" else VariancePreserving(part)

    def people(self, data: Path) -> tuple[str, ...]:
        """Everybody in the folders of the collection."""
        return PriorRecipe(seed=self.seed).people(data)

    def split(self, data: Path) -> Split:
        """People of each side, dealt as for the assessor."""
        return PriorRecipe(seed=self.seed).split(data)

    def task(self, data: Path, split: Split, scratch: Path) -> Task:
        """Denoising score matching of what is diffused."""
        length = self.schedule.n_steps * self.schedule.batch
        learned = self._slices(data, split["train"], scratch / "train.safetensors")
        watched = self._slices(data, split["validation"], scratch / "validation.safetensors")
        known = default_collate([*map(TimedImages(watched, 0).__getitem__, range(self.n_watched))])
        loss = partial(_loss, process=self.diffused(), logarithm=self.net == "ncsnpp")
        return Task(
            self.build(), TimedImages(learned, length), loss, partial(_figures, loss, known)
        )

    def build(self) -> nn.Module:
        """The network with drawn weights."""
        if self.net == "ddpm":
            return build_ddpm(self.ddpm, seed=self.seed)
        return build_ncsnpp(self.ncsnpp, seed=self.seed)

    def answers(
        self, net: nn.Module, data: Path, people: Sequence[str], say: Callable[[str], None]
    ) -> Outcomes:
        """Magnitudes of some pixels of noisy images after denoising, beside the clean ones."""
        prior = Prior(net, self.parametrisation(), self.seen())

        def denoise(batch: NoisyImage) -> Tensor:
            noisy = batch.clean + batch.log_sigma.exp()[:, None, None, None] * batch.noise
            denoiser = prior.denoiser(self.n_kept if self.process == "hfs" else None)
            image = torch.view_as_complex(noisy.movedim(1, -1).contiguous())
            return torch.view_as_real(denoiser(image, batch.log_sigma.exp())).movedim(-1, 1)

        def slices_of(person: str, file: Path) -> ComplexSlices:
            return self._slices(data, (person,), file)

        return answered(denoise, slices_of, people, self.side, say, sparing=False)

    def checkpoint(self, net: nn.Module, card: Mapping[str, Any]) -> Checkpoint:
        """The network with the brightness and the noise that it knows."""
        return Checkpoint(
            net=self.net,
            config=asdict(self.ddpm if self.net == "ddpm" else self.ncsnpp),
            preprocess=self.seen().to_json(),
            outputs={"image": asdict(self.parametrisation())},
            calibration={},
            card=card,
            tensors=net.state_dict(),
        )

    def seen(self) -> ComplexImage:
        """Brightness of images, and the least and the most noise."""
        process = self.diffused()
        return ComplexImage(BRIGHTEST, FULL, process.sigma(EARLIEST), process.sigma(1.0))

    def _slices(self, data: Path, people: Sequence[str], file: Path) -> ComplexSlices:
        return PriorRecipe(seed=self.seed, side=self.side, apart=self.apart).slices(
            data, people, file
        )


RECIPE = HfsSdeRecipe


def _loss(net: nn.Module, batch: Timed, *, process: Process, logarithm: bool) -> Tensor:
    """Mean over pixels of ``|s(t) P score + P z|^2``; the rest of the output is not asked for."""
    scale = _each([process.scale(t) for t in batch.time.tolist()], batch)
    deviation = _each([process.deviation(t) for t in batch.time.tolist()], batch)
    noise, clean = process.projector(batch.noise), batch.clean
    noisy = clean + (scale - 1) * process.projector(clean) + deviation * noise
    level = deviation[:, 0, 0].log() if logarithm else deviation[:, 0, 0]
    parts = net(torch.view_as_real(noisy).movedim(-1, 1).contiguous(), level).float()
    score = torch.view_as_complex(parts.movedim(1, -1).contiguous())
    return (deviation * process.projector(score) + noise).abs().square().mean() / 2


def _each(values: Sequence[float], batch: Timed) -> Tensor:
    """One real number for each image, to multiply it with."""
    return torch.tensor(values, device=batch.clean.device)[:, None, None]


def _figures(
    loss: Callable[[nn.Module, Timed], Tensor], known: Timed, net: nn.Module
) -> dict[str, float]:
    """The loss of fixed examples, image by image; higher is better."""
    device = next(net.parameters()).device
    each = [
        float(loss(net, Timed(*(value[i : i + 1].to(device) for value in known))))
        for i in range(len(known.time))
    ]
    return {"negative loss": -sum(each) / len(each)}
