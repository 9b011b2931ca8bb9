"""Heads painted from label maps: any contrast, known tissue, air around, no licence trouble.

Each label gets a random brightness, as in domain randomisation (Billot et al., SynthSeg,
doi:10.1016/j.media.2023.102789); two draws in three keep the order of brightness that a
T1-, T2- or FLAIR-weighted scan has.  Labels are FreeSurfer's, and from 500 on the classes
outside the brain.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float32
from torch import Tensor

from isocenter.data.random import generator
from isocenter.data.shapes import Image3, Mask3
from isocenter.data.step import JSON, Step
from isocenter.data.tissue_labels import FLUID, GREY, LESION, VESSEL, WHITE
from isocenter.data.volume import Volume
from isocenter.ops.filters import gaussian_blur

__all__ = ["KnownHead", "paint_head", "paint_known_head", "paint_slice"]

BRIGHTNESS = {
    "T1w": {"white": 0.85, "grey": 0.6, "fluid": 0.2},
    "T2w": {"white": 0.4, "grey": 0.55, "fluid": 0.95},
    "FLAIR": {"white": 0.5, "grey": 0.65, "fluid": 0.12},
}
"""Typical tissue brightness relative to the head's 99th percentile."""
OUTSIDE_BRAIN = 500
"""Labels from here on lie outside the brain."""
SKIN_BRIGHTNESS, BONE_BRIGHTNESS = 0.75, 0.15
BONE = 515
TOWARDS_WHITE = {
    10: 0.4, 49: 0.4, 11: 0.1, 50: 0.1, 12: 0.25, 51: 0.25, 13: 0.65, 52: 0.65, 26: 0.15, 58: 0.15,
}  # fmt: skip
"""Thalamus, caudate, putamen, pallidum, accumbens: how far iron and myelin take their brightness
from the cortex's to white matter's."""
EDGE = 0.5
"""Standard deviation of the blur that makes partial volume, voxels."""


class KnownHead(NamedTuple):
    """A painted head and what is in it."""

    image: Volume
    brain: Mask3
    """All labels of the brain, with the fluid in it and around it."""
    csf: Image3
    """Fraction of the voxel that is fluid; the three sum to 1 deep in the brain."""
    gm: Image3
    """Cortex, deep grey matter, hippocampus, amygdala, cerebellar cortex."""
    wm: Image3
    """Cerebral and cerebellar white matter, brain stem, ventral diencephalon, lesions."""
    field: Image3
    """Shading, geometric mean 1 in the brain."""


def paint_head(labels: Volume, *, rng: torch.Generator) -> Volume:
    """A head with air, texture, partial volume and a little noise, from its label map.

    Args:
        labels: Whole-number labels; 0 is air.
        rng: Draws contrast, brightness of every label, texture, edge width and noise.

    Returns:
        Magnitude image, about 0 to 1000, on the grid of ``labels``.
    """
    image, contrast = _painted(labels.data.round().to(torch.int32), (1, 1, 1), rng)
    painted = 1000 * image
    step = Step("paint_head", {"contrast": contrast}, rng.initial_seed())
    return Volume(painted, labels.affine, contrast, (*labels.history, step))


def paint_slice(labels: Float32[Tensor, "y x"], *, rng: torch.Generator) -> Float32[Tensor, "y x"]:
    """One slice of a head, painted for itself alone as :func:`paint_head` paints them all.

    Args:
        labels: Whole numbers; 0 is air.
        rng: Draws what :func:`paint_head` draws.

    Returns:
        Magnitude image, about 0 to 1.
    """
    return _painted(labels.round().to(torch.int32)[None], (0, 1, 1), rng)[0][0]


def paint_known_head(
    labels: Volume,
    *,
    contrast: str = "T1w",
    noise: float = 0.05,
    shading: float = 0.2,
    deep_grey: float = 0.0,
    rng: torch.Generator,
) -> KnownHead:
    """A head whose tissues, shading and noise are known.

    Args:
        labels: Whole-number labels; 0 is air.
        contrast: A key of ``BRIGHTNESS``.
        noise: Standard deviation of the complex noise over the brightest tissue's brightness.
        shading: The field goes from ``1 - shading`` to ``1 + shading`` over the brain, before
            its geometric mean is set to 1.
        deep_grey: 0 paints deep grey matter as bright as cortex, 1 as far towards white
            matter as ``TOWARDS_WHITE`` says.
        rng: Draws the field and the noise.
    """
    codes = labels.data.round().long()
    tissue = BRIGHTNESS[contrast]
    table = _known_table(int(codes.max()) + 1, tissue, deep_grey)
    inside = (codes > 0) & (codes < OUTSIDE_BRAIN)
    field = _smooth_field(codes.shape, inside, shading, rng)
    image = gaussian_blur(table[codes], (EDGE,) * 3) * field
    level = noise * max(tissue.values())
    real = image + level * torch.randn(codes.shape, generator=rng)
    imaginary = level * torch.randn(codes.shape, generator=rng)
    csf, gm, wm = (
        gaussian_blur(torch.isin(codes, torch.tensor(members)).float(), (EDGE,) * 3)
        for members in (FLUID + VESSEL, GREY, WHITE + LESION)
    )
    given: dict[str, JSON] = {
        "contrast": contrast,
        "noise": noise,
        "shading": shading,
        "deep_grey": deep_grey,
    }
    step = Step("paint_known_head", given, rng.initial_seed())
    painted = 1000 * torch.hypot(real, imaginary)
    volume = Volume(painted, labels.affine, contrast, (*labels.history, step))
    return KnownHead(volume, inside, csf, gm, wm, field)


def _painted(
    codes: Tensor, along: tuple[int, int, int], rng: torch.Generator
) -> tuple[Image3, str | None]:
    """Magnitudes, about 0 to 1, and the contrast; smooth where ``along`` is 1."""
    contrast = (*BRIGHTNESS, None)[int(torch.randint(len(BRIGHTNESS) + 1, (), generator=rng))]
    table, texture = _draw_table(codes, contrast, rng)
    index = codes.long()
    seed = int(torch.randint(2**31, (), generator=rng))
    noise = torch.randn(codes.shape, generator=generator(seed))
    image = table[index] * (1 + texture[index] * gaussian_blur(noise, [0.8 * a for a in along]))
    edge = 0.35 + 0.35 * _uniform(rng)
    image = gaussian_blur(image, [edge * a for a in along])
    floor = 0.002 + 0.006 * _uniform(rng)
    real = image + floor * torch.randn(codes.shape, generator=rng)
    imaginary = floor * torch.randn(codes.shape, generator=rng)
    return torch.hypot(real, imaginary), contrast


def _known_table(size: int, tissue: dict[str, float], deep_grey: float) -> Tensor:
    """Brightness of every label, without chance."""
    table = torch.full((size,), SKIN_BRIGHTNESS)
    groups = {
        "white": WHITE + LESION,
        "grey": GREY,
        "fluid": FLUID + VESSEL,
    }
    for name, members in groups.items():
        table[[label for label in members if label < size]] = tissue[name]
    for label, share in TOWARDS_WHITE.items():
        if label < size:
            table[label] += deep_grey * share * (tissue["white"] - tissue["grey"])
    table[BONE : BONE + 1] = BONE_BRIGHTNESS
    table[0] = 0.0
    return table


def _smooth_field(shape: torch.Size, inside: Mask3, shading: float, rng: torch.Generator) -> Image3:
    """A sum of plane waves longer than the image, which no polynomial equals."""
    places = [(torch.arange(side) + 0.5) / side * 2 - 1 for side in shape]
    total = torch.zeros(shape)
    for _ in range(N_WAVES):
        direction = torch.randn(3, generator=rng)
        x, y, z = (
            place * part * math.pi * WAVES / direction.norm()
            for place, part in zip(places, direction, strict=True)
        )
        phase = 2 * math.pi * _uniform(rng)
        total += torch.cos(x[:, None, None] + y[:, None] + z + phase)
    known = total[inside]
    middle, half = (known.max() + known.min()) / 2, (known.max() - known.min()) / 2
    field = (1 + shading * (total - middle) / half).clamp(1 - shading, 1 + shading)
    return field / field[inside].log().mean().exp()


N_WAVES = 4
WAVES = 0.8
"""Periods of a wave over the image."""


def _draw_table(codes: Tensor, contrast: str | None, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Brightness and relative texture of every label."""
    size = int(codes.max()) + 1
    brightness = 0.1 + 0.9 * torch.rand(size, generator=rng)
    if contrast is not None:
        for tissue, members in (("white", WHITE), ("grey", GREY), ("fluid", FLUID)):
            spread = 1 + 0.12 * (torch.rand(len(members), generator=rng) - 0.5)
            known = torch.tensor([label for label in members if label < size], dtype=torch.long)
            common = BRIGHTNESS[contrast][tissue] * (0.9 + 0.2 * _uniform(rng))
            brightness[known] = common * spread[: len(known)]
    brightness[0] = 0.0
    return brightness, 0.02 + 0.08 * torch.rand(size, generator=rng)


def _uniform(rng: torch.Generator) -> float:
    return float(torch.rand((), generator=rng))
