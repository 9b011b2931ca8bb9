"""Training examples made on the fly: a clean scan, known damage, and the truth about it.

Every example is a function of (seed, index) alone; nothing is stored, and the number of
workers changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from isocenter.artifacts import artifact, versions
from isocenter.assessors._outputs import PUBLISHED_CLASSES, TYPES
from isocenter.data.atomic import write_bytes
from isocenter.data.io import read
from isocenter.data.preprocess import Slabs
from isocenter.data.random import child, generator
from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume
from isocenter.datasets.collection import Source
from isocenter.datasets.label_heads import paint_head
from isocenter.metrics.ssim import ssim
from isocenter.ops.fourier import fft, ifft
from isocenter.ops.regions import head_mask, head_scale
from isocenter.ops.slabs import N_LINE_FACTS, Head, SlabBatch, find_head, take_slabs, usable_axes

__all__ = [
    "UNKNOWN",
    "Damage",
    "Example",
    "ExampleSet",
    "collate",
    "damage_scan",
    "full_reference",
    "with_field_of_view",
]

UNKNOWN = -1
"""Label that no loss looks at."""


@dataclass(frozen=True)
class Damage:
    """What is done to a clean scan."""

    preset: str
    parts: tuple[tuple[str, int], ...]
    """(artifact, level), in the order in which a scanner would do them; empty = pristine."""


@dataclass(frozen=True)
class Example:
    """Slabs of one damaged scan, and the truth about it."""

    slabs: Tensor
    """(S, n_slices, side, side), half precision."""
    facts: Tensor
    """(S, N_FACTS)."""
    levels: Tensor
    """(6,) level of each artifact of ``TYPES``, or ``UNKNOWN``."""
    present: Tensor
    """(6,) 1 where the artifact is there, else 0."""
    published: Tensor
    """() index into ``PUBLISHED_CLASSES``, or ``UNKNOWN``."""
    quality: Tensor
    """(S,) full-reference quality of each slab; NaN where it shows no head."""


def collate(examples: list[Example]) -> Example:
    """Stack examples along a new first axis."""
    names = Example.__dataclass_fields__
    return Example(**{name: torch.stack([getattr(e, name) for e in examples]) for name in names})


class ExampleSet(Dataset[Example]):
    """``length`` examples, drawn from ``people`` by (seed, index).

    Simulating costs more than learning, so every simulated scan comes ``repeats`` times,
    spread over a few hundred examples and mirrored anew; ``folder`` keeps it in between.
    """

    BLOCK = 120
    """New scans among which the repeated ones are mixed."""

    def __init__(
        self,
        people: Sequence[Source],
        preprocess: Slabs,
        *,
        n_slabs: int,
        length: int,
        seed: int,
        repeats: int = 1,
        folder: Path | None = None,
    ) -> None:
        self.people = tuple(people)
        self.preprocess = preprocess
        self.n_slabs = n_slabs
        self.length = length
        self.seed = seed
        self.repeats = repeats
        self.folder = folder
        self._cache: dict[str, Volume] = {}

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Example:
        example = self._kept(self._scan_of(index))
        rng = child(generator(self.seed), "mirror", index)
        slabs, facts = _mirror(example.slabs.float(), example.facts, rng)
        return replace(example, slabs=slabs.half(), facts=facts)

    def _scan_of(self, index: int) -> int:
        """Which simulated scan an example shows: each block mixes new scans with older ones."""
        block, within = divmod(index, self.BLOCK * self.repeats)
        rng = child(generator(self.seed), "block", block)
        drawn = int(torch.randperm(self.BLOCK * self.repeats, generator=rng)[within])
        age, place = divmod(drawn, self.BLOCK)
        return max(0, block - age) * self.BLOCK + place

    def _kept(self, number: int) -> Example:
        """The simulated scan, from the folder if it was made before; the same either way."""
        if self.folder is None:
            return self._simulate(number)
        file = self.folder / f"{self.seed}-{number:06d}.safetensors"
        if not file.exists():
            example = self._simulate(number)
            write_bytes(file, safetensors.torch.save(vars(example)))
        return Example(**safetensors.torch.load(file.read_bytes()))

    def _simulate(self, number: int) -> Example:
        rng = child(generator(self.seed), "example", number)
        source = self._draw_source(rng)
        clean = vary(self._load(source), source, rng=rng)
        damage = draw_damage(rng)
        return make_example(clean, damage, self.preprocess, self.n_slabs, rng=rng)

    def _draw_source(self, rng: torch.Generator) -> Source:
        """A kind first, then a person, then a scan: nobody counts more for having more scans."""
        weights = {"brain": 0.55, "labels": 0.25, "head": 0.2}
        kinds = [kind for kind in weights if any(s.kind == kind for s in self.people)]
        chosen = kinds[_pick([weights[kind] for kind in kinds], rng)]
        candidates = [source for source in self.people if source.kind == chosen]
        people = sorted({source.person for source in candidates})
        person = people[_below(len(people), rng)]
        scans = [source for source in candidates if source.person == person]
        return scans[_below(len(scans), rng)]

    def _load(self, source: Source) -> Volume:
        key = str(source.path)
        if key not in self._cache:
            self._cache[key] = replace(read(source.path), history=())
        return self._cache[key]


def vary(scan: Volume, source: Source, *, rng: torch.Generator) -> Volume:
    """Another clean scan from a clean scan: contrast, resolution, field of view."""
    if source.kind == "labels":
        scan = paint_head(_crop_air(_maybe_strip(scan, rng)), rng=rng)
        scan = _weakly_shaded(scan, rng)
    scan = replace(scan, data=scan.data.clamp_min(0))
    if _chance(0.5, rng):
        scan = replace(scan, data=_new_contrast(scan.data, rng))
    if _chance(0.3, rng) and max(scan.spacing) < 1.3:
        scan = _coarser(scan, rng)
    if _chance(0.15, rng):
        scan = replace(scan, data=_zero_filled(scan.data, rng))
    if source.kind != "head":
        scan = with_field_of_view(scan, rng=rng)
    return scan


def draw_damage(rng: torch.Generator) -> Damage:
    """One scenario: pristine, one artifact, two at once, or one of the published benchmark."""
    scenario = _pick([0.13, 0.56, 0.13, 0.18], rng)
    if scenario == 0:
        return Damage("physical", ())
    if scenario == 1:
        return Damage("physical", (versions("physical")[_below(24, rng)],))
    if scenario == 2:
        first, second = torch.randperm(len(TYPES), generator=rng)[:2].sort().values.tolist()
        pair = tuple((TYPES[i], 1 + _below(3, rng)) for i in (first, second))
        return Damage("physical", pair)
    name, level = PUBLISHED_CLASSES[_below(21, rng)]
    return Damage("hsfnet-2025", () if level == 0 else ((name, level),))


def damage_scan(clean: Volume, damage: Damage, *, rng: torch.Generator) -> Volume:
    """The clean scan with the damage done to it, streams named by part."""
    for name, level in damage.parts:
        stream = child(rng, damage.preset, name)
        clean = artifact(name, level, preset=damage.preset)(clean, rng=stream)
    return clean


def make_example(
    clean: Volume, damage: Damage, preprocess: Slabs, n_slabs: int, *, rng: torch.Generator
) -> Example:
    """Damage a clean scan, cut slabs, and measure them against the clean ones."""
    worse = damage_scan(clean, damage, rng=rng)
    head = find_head(worse.data)
    axes = usable_axes(clean.spacing, clean.shape, preprocess)
    where = [_draw_place(head, axes, preprocess, rng) for _ in range(n_slabs)]
    shift = (_below(25, rng) - 12, _below(25, rng) - 12)
    taken = take_slabs(worse.data, worse.spacing, head, where, preprocess, shift)
    quality = full_reference(clean, taken, worse, head, preprocess, shift)
    return Example(taken.slabs.half(), taken.facts, *_labels(damage), quality)


def full_reference(
    clean: Volume,
    taken: SlabBatch,
    worse: Volume,
    head: Head,
    preprocess: Slabs,
    shift: tuple[int, int] = (0, 0),
) -> Tensor:
    """SSIM of each slab's middle slice inside the clean head, (S,); NaN where there is none.

    Both scans in units of the clean head's 99th percentile, ``data_range`` 1.
    """
    mask = head_mask(clean.data)
    known = replace(head, mask=mask, scale=head_scale(clean.data, mask))
    truth = take_slabs(clean.data, clean.spacing, known, taken.where, preprocess, shift)
    given = take_slabs(worse.data, worse.spacing, known, taken.where, preprocess, shift)
    middle = preprocess.n_slices // 2
    quality = ssim(
        given.slabs[:, middle : middle + 1],
        truth.slabs[:, middle : middle + 1],
        data_range=1.0,
        mask=truth.inside[:, None],
    )
    enough = truth.inside.flatten(1).float().mean(1) > 0.02
    return torch.where(enough, quality, torch.nan)


def with_field_of_view(scan: Volume, *, rng: torch.Generator) -> Volume:
    """Pad a cropped scan to a scanner's field of view; ghosts and wrap depend on it."""
    padding: list[int] = []
    for side in reversed(scan.shape):
        extra = round(side * (0.1 + 0.4 * _uniform(rng)))
        before = round(extra * (0.4 + 0.2 * _uniform(rng)))
        padding += [before, extra - before]
    affine = scan.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ [padding[4], padding[2], padding[0]]
    return replace(scan, data=F.pad(scan.data, padding), affine=affine)


def _labels(damage: Damage) -> tuple[Tensor, Tensor, Tensor]:
    """Levels, presence and published class of a damage."""
    names = dict(damage.parts)
    present = torch.tensor([float(name in names) for name in TYPES])
    if damage.preset == "physical":
        levels = torch.tensor([names.get(name, 0) for name in TYPES])
        published = UNKNOWN if names else len(PUBLISHED_CLASSES) - 1
        return levels, present, torch.tensor(published)
    levels = torch.tensor([UNKNOWN if name in names else 0 for name in TYPES])
    entry = damage.parts[0] if damage.parts else ("pristine", 0)
    return levels, present, torch.tensor(PUBLISHED_CLASSES.index(entry))


def _draw_place(
    head: Head, axes: tuple[int, ...], preprocess: Slabs, rng: torch.Generator
) -> tuple[int, int]:
    axis = axes[_below(len(axes), rng)]
    extent = head.last[axis] - head.first[axis] + 1
    margin = int(preprocess.margin * extent)
    return axis, head.first[axis] + margin + _below(max(1, extent - 2 * margin), rng)


def _mirror(slabs: Tensor, facts: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mirror and transpose the windows: orientation carries no quality."""
    if _chance(0.5, rng):
        slabs = slabs.flip(-1)
    if _chance(0.5, rng):
        slabs = slabs.flip(-2)
    if _chance(0.5, rng):
        slabs, facts = slabs.transpose(-1, -2), _transpose_facts(facts)
    return slabs.contiguous(), facts


def _transpose_facts(facts: Tensor) -> Tensor:
    """The facts of the same slabs with rows and columns exchanged."""
    n = N_LINE_FACTS
    rest = range(4 + 2 * n, facts.shape[1])
    return facts[:, [1, 0, 2, 3, *range(4 + n, 4 + 2 * n), *range(4, 4 + n), *rest]]


def _new_contrast(data: Image3, rng: torch.Generator) -> Image3:
    """A random smooth brightness curve, rising or (like T2 from T1) falling inside the head."""
    mask = head_mask(data)
    scale = head_scale(data, mask)
    x = (data / scale).clamp(0, 1.5)
    if _chance(0.35, rng):
        curves: tuple[Callable[[Tensor], Tensor], ...] = (lambda v: 1.15 - 0.9 * v,)
        return scale * torch.where(mask & (x > 0.05), curves[0](x).clamp_min(0.02), x)
    gamma = 0.6 + 1.0 * _uniform(rng)
    return scale * x.pow(gamma)


def _coarser(scan: Volume, rng: torch.Generator) -> Volume:
    """The same head scanned with larger voxels: its spectrum cut, gently, along some axes."""
    data, affine = scan.data, scan.affine.copy()
    kind = _below(3, rng)
    for axis in range(3):
        if kind == 2 and axis != _below(3, child(rng, "thick")):
            continue
        factor = 1 + (2.5 if kind == 2 else 1.0) * _uniform(child(rng, "factor", kind == 0 or axis))
        side = max(16, round(data.shape[axis] / factor))
        data = _resize(data, axis, side)
        affine[:3, axis] *= scan.shape[axis] / side
    return replace(scan, data=data, affine=affine)


def _weakly_shaded(scan: Volume, rng: torch.Generator) -> Volume:
    """Less shading than level 1 of ``bias``: no coil receives quite evenly, so this is clean."""
    rng = child(rng, "weak shading")
    worse = artifact("bias", 1)(scan, rng=rng)
    field = worse.data / scan.data.clamp_min(1e-6)
    data = torch.where(scan.data > 0, scan.data * field.pow(0.7 * _uniform(rng)), scan.data)
    return replace(scan, data=data)


def _zero_filled(data: Image3, rng: torch.Generator) -> Image3:
    """Outer k-space lines along two axes never measured, as scanners interpolate images."""
    axes = torch.randperm(3, generator=rng)[:2].tolist()
    kspace = fft(data, axes)
    for axis in axes:
        n, edge = data.shape[axis], 0.7 + 0.25 * _uniform(rng)
        at = (torch.arange(n) - n // 2).abs() / (n / 2)
        # A Tukey edge of a tenth of the kept lines, against ringing.
        fall = ((edge - at) / (0.1 * edge)).clamp(0, 1)
        window = 0.5 - 0.5 * torch.cos(torch.pi * fall)
        kspace = kspace * window.reshape([-1 if a == axis else 1 for a in range(3)])
    return ifft(kspace, axes).abs()


def _resize(data: Tensor, axis: int, side: int) -> Tensor:
    """Average down along one axis (linear, anti-aliased)."""
    moved = data.movedim(axis, -1)
    lines = moved.reshape(1, 1, -1, moved.shape[-1])
    size = [lines.shape[2], side]
    small = F.interpolate(lines, size=size, mode="bilinear", antialias=True)
    return small.reshape(*moved.shape[:-1], side).movedim(-1, axis).contiguous()


def _maybe_strip(labels: Volume, rng: torch.Generator) -> Volume:
    """Now and then only the brain, cropped, as skull stripping leaves it."""
    if not _chance(0.3, rng):
        return labels
    brain = torch.where(labels.data < 500, labels.data, 0)
    return replace(labels, data=brain)


def _crop_air(scan: Volume) -> Volume:
    """Cut to the box of what is not zero, two voxels around it left."""
    box = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        filled = (scan.data != 0).any(others[1]).any(others[0]).nonzero()
        box.append(slice(max(0, int(filled[0]) - 2), int(filled[-1]) + 3))
    affine = scan.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [part.start for part in box]
    return replace(scan, data=scan.data[tuple(box)].contiguous(), affine=affine)


def _uniform(rng: torch.Generator) -> float:
    return float(torch.rand((), generator=rng))


def _chance(probability: float, rng: torch.Generator) -> bool:
    return _uniform(rng) < probability


def _below(n: int, rng: torch.Generator) -> int:
    return int(torch.randint(n, (), generator=rng))


def _pick(weights: Sequence[float], rng: torch.Generator) -> int:
    return int(torch.multinomial(torch.tensor(weights), 1, generator=rng))
