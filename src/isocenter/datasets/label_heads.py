"""Heads painted from label maps: any contrast, known tissue, air around, no licence trouble.

Each label gets a random brightness, as in domain randomisation (Billot et al., SynthSeg,
doi:10.1016/j.media.2023.102789); two draws in three keep the order of brightness that a
T1-, T2- or FLAIR-weighted scan has.  Labels are FreeSurfer's, and from 500 on the classes
outside the brain.
"""

import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.data.step import Step
from isocenter.data.volume import Volume
from isocenter.ops.filters import gaussian_blur

__all__ = ["paint_head"]

WHITE = (2, 41, 7, 46, 16, 28, 60, 85)
GREY = (3, 42, 8, 47, 10, 49, 11, 50, 12, 51, 13, 52, 17, 53, 18, 54, 26, 58, 136, 137, 163, 164)
FLUID = (4, 5, 14, 15, 24, 43, 44, 72)
BRIGHTNESS = {
    "T1w": {"white": 0.85, "grey": 0.6, "fluid": 0.2},
    "T2w": {"white": 0.4, "grey": 0.55, "fluid": 0.95},
    "FLAIR": {"white": 0.5, "grey": 0.65, "fluid": 0.12},
}
"""Typical tissue brightness relative to the head's 99th percentile."""


def paint_head(labels: Volume, *, rng: torch.Generator) -> Volume:
    """A head with air, texture, partial volume and a little noise, from its label map.

    Args:
        labels: Whole-number labels; 0 is air.
        rng: Draws contrast, brightness of every label, texture, edge width and noise.

    Returns:
        Magnitude image, about 0 to 1000, on the grid of ``labels``.
    """
    contrast = (*BRIGHTNESS, None)[int(torch.randint(len(BRIGHTNESS) + 1, (), generator=rng))]
    codes = labels.data.round().to(torch.int32)
    table, texture = _draw_table(codes, contrast, rng)
    index = codes.long()
    seed = int(torch.randint(2**31, (), generator=rng))
    noise = torch.randn(codes.shape, generator=generator(seed))
    image = table[index] * (1 + texture[index] * gaussian_blur(noise, (0.8, 0.8, 0.8)))
    edge = 0.35 + 0.35 * _uniform(rng)
    image = gaussian_blur(image, (edge, edge, edge))
    floor = 0.002 + 0.006 * _uniform(rng)
    real = image + floor * torch.randn(codes.shape, generator=rng)
    imaginary = floor * torch.randn(codes.shape, generator=rng)
    painted = 1000 * torch.hypot(real, imaginary)
    step = Step("paint_head", {"contrast": contrast}, rng.initial_seed())
    return Volume(painted, labels.affine, contrast, (*labels.history, step))


def _draw_table(codes: Tensor, contrast: str | None, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Brightness and relative texture of every label."""
    size = int(codes.max()) + 1
    brightness = 0.1 + 0.9 * torch.rand(size, generator=rng)
    if contrast is not None:
        for tissue, members in (("white", WHITE), ("grey", GREY), ("fluid", FLUID)):
            spread = 1 + 0.12 * (torch.rand(len(members), generator=rng) - 0.5)
            known = torch.tensor([label for label in members if label < size])
            common = BRIGHTNESS[contrast][tissue] * (0.9 + 0.2 * _uniform(rng))
            brightness[known] = common * spread[: len(known)]
    brightness[0] = 0.0
    return brightness, 0.02 + 0.08 * torch.rand(size, generator=rng)


def _uniform(rng: torch.Generator) -> float:
    return float(torch.rand((), generator=rng))
