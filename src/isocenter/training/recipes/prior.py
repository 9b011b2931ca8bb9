"""The prior of complex MR images that ships with the package: a denoiser at every noise level.

The defaults make the small network that ships, on a processor.  On an accelerator a larger one
is ``config.widths=64,128,192 config.n_down=2,2,3 config.n_up=2,2 side=160 schedule.batch=64
schedule.n_steps=60000 schedule.average=0.9995``.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.preprocess import ComplexImage
from isocenter.data.random import child, generator
from isocenter.datasets.collection import sources
from isocenter.diffusion.parametrisation import Parametrisation
from isocenter.nets.complex_unet import Config, build
from isocenter.training.complex_slices import (
    BRIGHTEST,
    FULL,
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

__all__ = ["LEVELS", "RECIPE", "PriorRecipe", "decibels", "denoised"]

LEVELS = (0.03, 0.1, 0.3)
"""Noise at which a prior is judged, where the brightest half percent of an image is 0.9."""
N_ASKED = 4
"""Images of a person on which a prior answers."""
N_DRAWN = 64
"""Pixels of an image that are compared when it answers."""
AT_ONCE = 6


@dataclass(frozen=True)
class PriorRecipe(Recipe):
    """Complex images from slices of scans and painted heads, and the noise in them."""

    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            n_steps=6500,
            batch=8,
            learning_rate=1.5e-3,
            weight_decay=1e-4,
            warm_up=150,
            average=0.999,
            precision="bf16",
            validate_every=500,
            save_every=100,
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
        examples = self.slices(data, split["train"], scratch / "train.safetensors", length)
        watched = self.slices(data, split["validation"], scratch / "validation.safetensors")
        return Task(
            net.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
            examples,
            partial(loss_of, spread=self.config.sigma_data),
            validate=partial(_figures, known=self.under_levels(watched)),
        )

    def slices(
        self, data: Path, people: Sequence[str], file: Path, length: int = 0
    ) -> ComplexSlices:
        """Examples from the scans of some people.

        Args:
            data: Folder with the scans.
            people: Of one side.
            file: Where their slices are packed.
            length: Number of examples.
        """
        members = set(people)
        scans = tuple(source for source in sources(data) if source.person in members)
        packed = pack(scans, file, apart=self.apart, seed=self.seed)
        return ComplexSlices(
            scans, packed, side=self.side, noise=self.noise, length=length, seed=self.seed
        )

    def answers(
        self, net: nn.Module, data: Path, people: Sequence[str], say: Callable[[str], None]
    ) -> Outcomes:
        """Magnitudes of some pixels of noisy images after denoising, beside the clean ones."""
        rows: list[tuple[str, str, float, float, float]] = []
        for person in people:
            with TemporaryDirectory() as folder:
                slices = self.slices(data, (person,), Path(folder) / "slices.safetensors")
            for level, batch in zip(LEVELS, self.under_levels(slices, N_ASKED), strict=True):
                rows += _pixels(person, level, batch, denoised(net, batch), self.seed)
            say(person)
        names, items, truth, said, noisy = zip(*rows, strict=True)
        return Outcomes(
            kind="values",
            people=names,
            items=items,
            truth=np.array(truth),
            outputs=np.array([said, noisy]).T,
            columns=("estimate", "noisy"),
        )

    def checkpoint(self, net: nn.Module, card: Mapping[str, Any]) -> Checkpoint:
        """The network with the brightness and the noise that it knows."""
        seen = ComplexImage(BRIGHTEST, FULL, self.noise.least, self.noise.most)
        return Checkpoint(
            net="complex_unet",
            config=asdict(self.config),
            preprocess=seen.to_json(),
            outputs={"image": asdict(Parametrisation())},
            calibration={},
            card=card,
            tensors=net.state_dict(),
        )

    def under_levels(self, slices: ComplexSlices, n: int | None = None) -> tuple[NoisyImage, ...]:
        """A batch of fixed crops for each of ``LEVELS``; of every second one the middle is spared.

        Args:
            slices: Of some people.
            n: How many crops; ``n_validation`` when not given.
        """
        return tuple(
            default_collate(
                [
                    _known(slices, Noise(math.log(level), 0.0), number, self.validation_side)
                    for number in range(n or self.n_validation)
                ]
            )
            for level in LEVELS
        )


RECIPE = PriorRecipe


def loss_of(net: nn.Module, batch: NoisyImage, *, spread: float) -> Tensor:
    """Mean squared error in units of what is left at each level, EDM table 1.

    The whole image is compared: where the noise spares the middle of k-space, the network sees
    it without noise, and is to leave it alone.
    """
    sigma = batch.log_sigma.exp()[:, None, None, None]
    weight = (sigma.square() + spread**2) / (sigma * spread).square()
    return (weight * (_said(net, batch) - batch.clean).square()).mean()


@torch.no_grad()
def denoised(net: nn.Module, batch: NoisyImage) -> Tensor:
    """What a network in evaluation mode makes of noisy images, (B, 2, y, x), on the CPU."""
    device = next(net.parameters()).device
    parts = []
    for portion in zip(*(value.split(AT_ONCE) for value in batch), strict=True):
        here = NoisyImage(*(value.to(device) for value in portion))
        with torch.autocast(device.type, torch.bfloat16):
            parts.append(_said(net, here).cpu())
    return torch.cat(parts)


def decibels(said: Tensor, clean: Tensor) -> Tensor:
    """PSNR of complex images (B, 2, y, x) whose brightest half percent is about 0.9: (B,)."""
    error = (said - clean).square().sum(1).flatten(1).mean(1)
    return 10 * torch.log10(FULL**2 / error)


def _known(slices: ComplexSlices, noise: Noise, number: int, side: int) -> NoisyImage:
    """A crop that is the same at every level and whenever it is asked for."""
    rng = child(generator(slices.seed), "validation", number)
    image = complex_image(slices.draw(rng), side, rng=rng)
    return with_noise(image, noise.sparing(number % 2 == 1), rng=rng)


def _said(net: nn.Module, batch: NoisyImage) -> Tensor:
    sigma = batch.log_sigma.exp()[:, None, None, None]
    noisy = (batch.clean + sigma * batch.noise).contiguous(memory_format=torch.channels_last)
    said: Tensor = net(noisy, batch.log_sigma, batch.kept)
    return said


def _figures(net: nn.Module, *, known: Sequence[NoisyImage]) -> dict[str, float]:
    """PSNR at each level, their mean first."""
    each = {
        f"PSNR at {level:g}": float(decibels(denoised(net, batch), batch.clean).mean())
        for level, batch in zip(LEVELS, known, strict=True)
    }
    return {"PSNR": sum(each.values()) / len(each), **each}


def _pixels(
    person: str, level: float, batch: NoisyImage, said: Tensor, seed: int
) -> Iterator[tuple[str, str, float, float, float]]:
    """Some pixels of each image: (person, which, true, denoised and noisy magnitude)."""
    noisy = batch.clean + level * batch.noise
    for number, images in enumerate(zip(batch.clean, said, noisy, strict=True)):
        rng = child(generator(seed), "pixels", person, number)
        places = torch.randperm(images[0][0].numel(), generator=rng)[:N_DRAWN]
        values = torch.stack([image.norm(dim=0).flatten()[places] for image in images])
        for place, (true, here, there) in zip(places.tolist(), values.T.tolist(), strict=True):
            yield person, f"{level:g} {number} {place}", true, here, there
