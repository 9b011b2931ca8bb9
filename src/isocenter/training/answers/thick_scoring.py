"""How well thin slices are made of thick ones of people: what a training is judged by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn

from isocenter.data.io import read
from isocenter.data.random import child, generator
from isocenter.data.shapes import Image3
from isocenter.datasets.collection import Source
from isocenter.ops.regions import head_scale
from isocenter.ops.thick_slices import splined
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.inputs.packed_scans import pack_scans
from isocenter.training.inputs.thick_examples import profile

__all__ = [
    "AIR",
    "ThickCase",
    "answered",
    "cubic",
    "decibels",
    "figures",
    "said_of",
    "thick_case",
    "watched",
]

NOISE = 0.02
"""Standard deviation over the brightness of the head."""
THICKNESS = 0.75
"""Of a slice, over the distance of slices."""
HALO = 2
N_THIN = 32
"""Thin slices of a person that are looked at in training,"""
N_WIDE = 40
"""and pixels of each along its first axis."""
AIR = 0.02
N_DRAWN = 500
"""Voxels of a person and ratio that are compared in answers."""


@dataclass(frozen=True, eq=False)
class ThickCase:
    """A simulated scan of thick slices, and the thin ones."""

    person: str
    ratio: int
    thick: Float32[Tensor, "x y n"]
    """With ``HALO`` slices at both ends that have no thin ones."""
    thin: Image3
    """1 = the brightness of the head."""


def thick_case(
    values: Tensor, ratio: int, person: str, *, n_thin: int | None = None, seed: int
) -> ThickCase:
    """Through-plane only: a Gaussian profile of 0.75 of the distance of slices, and white noise.

    Args:
        values: Thin slices along the last axis, 1 = the brightness of the head.
        ratio: Thin slices for a thick one.
        person: Decides the noise, with the seed.
        n_thin: How many are wanted, from the middle; all but the halo when not given.
        seed: See above.
    """
    n_slabs = values.shape[2] // ratio - 2 * HALO
    if n_thin is not None:
        n_slabs = min(n_slabs, max(1, n_thin // ratio))
    n = (n_slabs + 2 * HALO) * ratio
    first = (values.shape[2] - n) // 2
    fine = values[:, :, first : first + n].float()
    clean = fine @ profile(n, ratio, THICKNESS, False)
    rng = child(generator(seed), "thick case", person, ratio)
    thick = clean + NOISE * torch.randn(clean.shape, generator=rng)
    margin = HALO * ratio
    return ThickCase(person, ratio, thick, fine[:, :, margin:-margin].contiguous())


def cubic(case: ThickCase) -> Image3:
    """Thin slices by cubic splines."""
    margin = HALO * case.ratio
    return splined(case.thick, case.ratio)[:, :, margin:-margin]


def decibels(said: Image3, case: ThickCase) -> float:
    """PSNR inside the brain; 1 is the peak."""
    inside = case.thin > AIR
    return float(-10 * torch.log10((said - case.thin)[inside].square().mean()))


def watched(
    scans: Sequence[Source], file: Path, *, ratios: Sequence[int], seed: int
) -> tuple[ThickCase, ...]:
    """The middle of every skull-stripped T1-weighted scan, at every ratio."""
    brains = [one for one in scans if one.kind == "brain" and one.contrast == "T1w"]
    packed = pack_scans(brains, file, tissue=False)
    return tuple(
        thick_case(_middle(scan.values), ratio, scan.person, n_thin=N_THIN, seed=seed)
        for scan in packed
        for ratio in ratios
    )


def _middle(values: Tensor) -> Tensor:
    first = max(0, (len(values) - N_WIDE) // 2)
    return values[first : first + N_WIDE]


@torch.no_grad()
def said_of(net: nn.Module, case: ThickCase, member: int | None = None) -> Tensor:
    """Mean and log variance (2, x, y, h) of a network in evaluation mode, on the CPU."""
    device = next(net.parameters()).device
    with torch.autocast(device.type, torch.bfloat16):
        made = net(case.thick[None, None].to(device), case.ratio, member, HALO)
    said: Tensor = made[0].float().cpu()
    return said


def figures(net: nn.Module, *, known: Sequence[ThickCase]) -> dict[str, float]:
    """Gain of the first member over cubic splines, dB: the mean over people of each ratio, and
    over ratios."""
    gains: dict[int, list[float]] = {}
    for case in known:
        gain = decibels(said_of(net, case, 0)[0], case) - decibels(cubic(case), case)
        gains.setdefault(case.ratio, []).append(gain)
    each = {f"gain at {ratio}": float(np.mean(some)) for ratio, some in gains.items()}
    return {"gain": float(np.mean(list(each.values()))), **each}


def answered(
    net: nn.Module,
    scans: Sequence[Source],
    *,
    ratios: Sequence[int],
    seed: int,
    say: Callable[[str], None],
) -> Outcomes:
    """Some voxels of every skull-stripped scan, as told and by cubic splines, beside the truth.

    Args:
        net: With trained weights, in evaluation mode.
        scans: Of the people that are asked about; the others are left out.
        ratios: Thin slices for a thick one.
        seed: Of noise and voxels.
        say: Told who is done.
    """
    rows: list[tuple[str, str, float, float, float]] = []
    for source in (one for one in scans if one.kind == "brain"):
        scan = read(source.path)
        values = (scan.data / head_scale(scan.data)).clamp_min(0)
        for ratio in ratios:
            name = f"{source.person} {source.contrast}"
            case = thick_case(values, ratio, name, n_thin=N_THIN, seed=seed)
            images = case.thin, said_of(net, case)[0], cubic(case)
            inside = (case.thin > AIR).flatten().nonzero().flatten()
            rng = child(generator(seed), "voxels", name, ratio)
            places = inside[torch.randperm(len(inside), generator=rng)[:N_DRAWN]]
            columns = torch.stack([one.flatten()[places] for one in images]).T.tolist()
            rows += [
                (source.person, f"{source.contrast} {ratio} {place}", *column)
                for place, column in zip(places.tolist(), columns, strict=True)
            ]
        say(name)
    people, items, truth, said, splines = zip(*rows, strict=True)
    return Outcomes(
        kind="values",
        people=people,
        items=items,
        truth=np.array(truth),
        outputs=np.array([said, splines]).T,
        columns=("estimate", "cubic"),
    )
