"""The prior of complex MR images that ships with the package: a denoiser at every noise level.

The defaults make the small network that ships, on a processor.  On an accelerator a larger one
is ``config.widths=64,128,192 config.n_down=2,2,3 config.n_up=2,2 side=160 schedule.batch=64
schedule.n_steps=60000 schedule.average=0.9995``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.preprocess import ComplexImage
from isocenter.datasets.collection import sources
from isocenter.diffusion.parametrisation import Parametrisation
from isocenter.nets.complex_unet import Config, build
from isocenter.training.answers.denoising import LEVELS, answered, decibels, under_levels
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.recipe import Recipe, Task
from isocenter.training.engine.schedule import Schedule
from isocenter.training.engine.splits import Split
from isocenter.training.inputs.complex_slices import (
    BRIGHTEST,
    FULL,
    ComplexSlices,
    Noise,
    NoisyImage,
    pack,
)
from isocenter.training.recipes.assessor import AssessorRecipe

__all__ = ["RECIPE", "PriorRecipe", "denoised"]

AT_ONCE = 6
"""Images that are denoised together."""


@dataclass(frozen=True)
class PriorRecipe(Recipe):
    """Complex images from slices of scans and painted heads, and the noise in them."""

    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            n_steps=10_000,
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
        known = under_levels(watched, self.n_validation, self.validation_side)
        return Task(
            net.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
            examples,
            partial(loss_of, spread=self.config.sigma_data),
            validate=partial(_figures, known=known),
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

        def slices_of(person: str, file: Path) -> ComplexSlices:
            return self.slices(data, (person,), file)

        denoise = partial(denoised, net)
        return answered(denoise, slices_of, people, self.validation_side, say)

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
