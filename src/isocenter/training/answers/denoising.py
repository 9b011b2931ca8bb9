"""How well noise is taken out of complex images of people: what every prior is judged by."""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor
from torch.utils.data import default_collate

from isocenter.data.random import child, generator
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.inputs.complex_slices import (
    FULL,
    ComplexSlices,
    Noise,
    NoisyImage,
    complex_image,
    with_noise,
)

__all__ = ["LEVELS", "Denoise", "SlicesOf", "answered", "decibels", "under_levels"]

LEVELS = (0.03, 0.1, 0.3)
"""Noise at which a prior is judged, where the brightest half percent of an image is 0.9."""
N_ASKED = 4
"""Images of a person on which a prior answers."""
N_DRAWN = 64
"""Pixels of an image that are compared when it answers."""

Denoise = Callable[[NoisyImage], Float32[Tensor, "b 2 y x"]]
"""What a prior makes of noisy images."""
SlicesOf = Callable[[str, Path], ComplexSlices]
"""Of a person; packed in a file."""


def under_levels(
    slices: ComplexSlices, n: int, side: int, *, sparing: bool = True
) -> tuple[NoisyImage, ...]:
    """A batch of fixed crops for each of ``LEVELS``.

    Args:
        slices: Of some people.
        n: How many crops, the same under every level.
        side: Of a crop, pixels.
        sparing: Whether the noise of every second crop spares the middle of k-space.
    """

    def crop(level: float, number: int) -> NoisyImage:
        rng = child(generator(slices.seed), "validation", number)
        image = complex_image(slices.draw(rng), side, rng=rng)
        noise = Noise(math.log(level), 0.0).sparing(sparing and number % 2 == 1)
        return with_noise(image, noise, rng=rng)

    return tuple(default_collate([crop(level, number) for number in range(n)]) for level in LEVELS)


def decibels(
    said: Float32[Tensor, "b 2 y x"], clean: Float32[Tensor, "b 2 y x"]
) -> Float32[Tensor, " b"]:
    """PSNR of complex images whose brightest half percent is about 0.9."""
    error = (said - clean).square().sum(1).flatten(1).mean(1)
    return 10 * torch.log10(FULL**2 / error)


def answered(
    denoise: Denoise,
    slices_of: SlicesOf,
    people: Sequence[str],
    side: int,
    say: Callable[[str], None],
    *,
    sparing: bool = True,
) -> Outcomes:
    """Magnitudes of some pixels of noisy images after denoising, beside the clean ones.

    Args:
        denoise: The prior.
        slices_of: Where images come from.
        people: Of one side.
        side: Of the images, pixels.
        say: Told who is done.
        sparing: As in :func:`under_levels`.
    """
    rows: list[tuple[str, str, float, float, float]] = []
    for person in people:
        with TemporaryDirectory() as folder:
            slices = slices_of(person, Path(folder) / "slices.safetensors")
        batches = under_levels(slices, N_ASKED, side, sparing=sparing)
        for level, batch in zip(LEVELS, batches, strict=True):
            rows += _pixels(person, level, batch, denoise(batch), slices.seed)
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
