"""The prior of complex MR images that ships with the package: a denoiser at every noise level."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.random import child, generator
from isocenter.datasets.collection import Source, sources
from isocenter.nets.complex_unet import Config, build
from isocenter.training.complex_slices import (
    ComplexSlices,
    Noise,
    NoisyImage,
    complex_image,
    pack,
    with_noise,
)
from isocenter.training.outcomes import Outcomes
from isocenter.training.recipe import Recipe, Task
from isocenter.training.recipes.assessor import AssessorRecipe
from isocenter.training.schedule import Schedule
from isocenter.training.splits import Split

__all__ = ["LEVELS", "RECIPE", "PriorRecipe"]

LEVELS = (0.03, 0.1, 0.3)
"""Noise at which a prior is judged, where the brightest half percent of an image is 0.9."""
N_DRAWN = 24
"""Pixels of an image whose values are compared when the prior answers."""
N_ASKED = 6
"""Images of a person on which it answers."""
AT_ONCE = 6


@dataclass(frozen=True)
class PriorRecipe(Recipe):
    """Complex images from slices of scans and painted heads, and the noise in them."""

    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            n_steps=7000,
            batch=12,
            learning_rate=2e-3,
            weight_decay=1e-4,
            warm_up=150,
            average=0.999,
            precision="bf16",
            validate_every=500,
            save_every=200,
        )
    )
    config: Config = field(default_factory=Config)
    noise: Noise = field(default_factory=Noise)
    side: int = 96
    """Of the crops that are learned from, pixels."""
    apart: float = 3.0
    """Distance between two slices of a scan that are learned from, mm."""
    n_validation: int = 24
    """Crops of validation people, each under every level of noise."""
    validation_side: int = 160

    def people(self, data: Path) -> tuple[str, ...]:
        """Everybody in the folders of the collection."""
        return AssessorRecipe(seed=self.seed).people(data)

    def split(self, data: Path) -> Split:
        """People of each side, dealt as for the assessor."""
        return AssessorRecipe(seed=self.seed).split(data)

    def task(self, data: Path, split: Split, scratch: Path) -> Task:
        """EDM's weighted denoising loss."""
        net = build(self.config, seed=self.seed)
        length = self.schedule.n_steps * self.schedule.batch
        examples = self._examples(data, split["train"], scratch / "train.safetensors", length)
        known = self._validation(data, split["validation"], scratch / "validation.safetensors")
        loss = partial(loss_of, spread=self.config.sigma_data)
        return Task(
            net.to(memory_format=torch.channels_last),
            examples,
            loss,
            validate=partial(_figures, known=known),
        )

    def answers(
        self, net: nn.Module, data: Path, people: Sequence[str], say: Callable[[str], None]
    ) -> Outcomes:
        """Magnitudes of some pixels of noisy images after denoising, beside the clean ones."""
        rows: list[tuple[str, str, float, float, float]] = []
        for source in _of(data, people):
            ...
        raise NotImplementedError

    def checkpoint(self, net: nn.Module, card: Mapping[str, Any]) -> Checkpoint:
        """The network with the scale of images that it takes."""
        return Checkpoint(
            net="complex_unet",
            config=asdict(self.config),
            preprocess={"kind": "complex_image", "quantile": 0.995, "value": 0.9},
            outputs={"image": {"of": "expected clean complex image"}},
            calibration={},
            card=card,
            tensors=net.state_dict(),
        )

    def _examples(
        self, data: Path, people: Sequence[str], file: Path, length: int
    ) -> ComplexSlices:
        scans = _of(data, people)
        packed = pack(scans, file, apart=self.apart, seed=self.seed)
        return ComplexSlices(
            scans, packed, side=self.side, noise=self.noise, length=length, seed=self.seed
        )

    def _validation(self, data: Path, people: Sequence[str], file: Path) -> tuple[NoisyImage, ...]:
        """A batch of fixed crops for every level of noise; every second one spares the middle."""
        slices = self._examples(data, people, file, length=0)
        batches = []
        for level in LEVELS:
            made = []
            for number in range(self.n_validation):
                rng = child(generator(self.seed), "validation", number)
                image = complex_image(slices.draw(rng), self.validation_side, rng=rng)
                spared = float(number % 2)
                at = Noise(math.log(level), 0.0, spared=spared)
                made.append(with_noise(image, at, rng=rng))
            batches.append(default_collate(made))
        return tuple(batches)


RECIPE = PriorRecipe


def loss_of(net: nn.Module, batch: NoisyImage, *, spread: float) -> Tensor:
    """Mean squared error in units of what the best constant weighting leaves, EDM section 5.

    Where the noise spares the middle of k-space, so do the noisy image's errors, and the loss
    asks for no more than the rest.
    """
    sigma = batch.log_sigma.exp()[:, None, None, None]
    said = net(_noisy(batch), batch.log_sigma, batch.kept)
    weight = (sigma.square() + spread**2) / (sigma * spread).square()
    return (weight * (said - batch.clean).square()).mean()


def _noisy(batch: NoisyImage) -> Tensor:
    sigma = batch.log_sigma.exp()[:, None, None, None]
    noisy = batch.clean + sigma * batch.noise
    return noisy.contiguous(memory_format=torch.channels_last)


def _figures(net: nn.Module, *, known: Sequence[NoisyImage]) -> dict[str, float]:
    """PSNR of the complex image at each level, where full brightness is 0.9; their mean first."""
    device = next(net.parameters()).device
    figures = {}
    for level, batch in zip(LEVELS, known, strict=True):
        errors = []
        for part in _portions(batch, AT_ONCE):
            here = NoisyImage(*(value.to(device) for value in part))
            with torch.autocast(device.type, torch.bfloat16):
                said = net(_noisy(here), here.log_sigma, here.kept)
            errors.append((said - here.clean).square().flatten(1).mean(1).cpu())
        # Of both parts together: twice the mean over the two.
        decibels = 10 * torch.log10(0.9**2 / (2 * torch.cat(errors)))
        figures[f"PSNR at {level:g}"] = float(decibels.mean())
    return {"PSNR": float(np.mean(list(figures.values()))), **figures}


def _portions(batch: NoisyImage, size: int) -> list[NoisyImage]:
    parts = [value.split(size) for value in batch]
    return [NoisyImage(*part) for part in zip(*parts, strict=True)]


def _of(data: Path, people: Sequence[str]) -> tuple[Source, ...]:
    """Scans of some people."""
    members = set(people)
    return tuple(source for source in sources(data) if source.person in members)
