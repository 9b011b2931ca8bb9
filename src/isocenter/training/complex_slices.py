"""Complex images made of magnitude scans: what a prior of MR images learns from.

There is no free collection of complex human images.  Slices of scans, in every plane whose
pixels are fine enough, get a smooth random phase, a little shading, a curve of brightness, a
zoom and a side; the noise and what of k-space it spares are drawn beside them.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from jaxtyping import Complex64, Float, Float32
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from isocenter.data.atomic import write_bytes
from isocenter.data.io import read
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume
from isocenter.datasets.collection import Source
from isocenter.datasets.label_heads import OUTSIDE_BRAIN, paint_slice
from isocenter.ops.fourier import fft, ifft
from isocenter.training.slices import turned
from isocenter.training.variants import variant_of

__all__ = [
    "BRIGHTEST",
    "FULL",
    "ComplexSlices",
    "Noise",
    "NoisyImage",
    "PackedSlices",
    "complex_image",
    "pack",
    "sparing_noise",
    "with_noise",
]

BRIGHTEST = 0.995
"""Quantile of a slice's brightness that becomes 1."""
FULL = 0.9
"""What it becomes in a complex image of scale 1."""
MARGIN = 24
"""Pixels of air that are kept around what a slice shows."""
KIND_WEIGHTS = {"brain": 0.45, "labels": 0.25, "head": 0.3}
"""How often each kind of scan is drawn from."""
VARIANTS = (0, 1)
"""Of a scan: as it is, and with another contrast, field of view or resolution."""
STRIPPED = 0.3
"""Share of painted slices that show the brain alone."""
FINEST_RATIO = 1.7
"""Between the sides of a pixel, and between it and the scan's finest side."""
ENOUGH = 0.05
"""Share of a slice that must show something."""
N_GRID = 4
"""Points of the grid, each way, between which phase and shading are smooth."""


Plane = Callable[[Tensor], Iterator[Tensor]]
"""From a stack of slices to those that are kept."""


class PackedSlices(NamedTuple):
    """Slices of many scans behind one another; 1 = the brightest half percent, or labels."""

    values: Float[Tensor, " n"]
    """float16."""
    shapes: Tensor
    """(slices, 2)."""
    scans: Tensor
    """(slices,) index of the scan that a slice is from."""


@dataclass(frozen=True)
class Noise:
    """How noise is drawn."""

    log_mean: float = -2.2
    """Of the natural logarithm of the noise's standard deviation, in each part."""
    log_spread: float = 1.3
    least: float = 0.003
    most: float = 3.0
    spared: float = 0.5
    """Share of examples in which the middle of k-space holds no noise."""
    n_kept: tuple[int, int] = (8, 32)
    """Fewest and most columns of it that hold none,"""
    n_columns: tuple[int, int] = (160, 320)
    """of so many."""

    def sparing(self, spared: bool) -> "Noise":
        """The same, of which the middle is always or never spared."""
        return replace(self, spared=float(spared))


class NoisyImage(NamedTuple):
    """One example; the noisy image is ``clean + sigma * noise``."""

    clean: Float32[Tensor, "2 y x"]
    noise: Float32[Tensor, "2 y x"]
    log_sigma: Float32[Tensor, ""]
    kept: Float32[Tensor, ""]
    """Share of the columns of k-space that hold no noise."""


class ComplexSlices(Dataset[NoisyImage]):
    """``length`` examples, each by (seed, index) alone.

    Args:
        scans: What ``packed`` was made of.
        packed: From :func:`pack`.
        side: Of the crop, pixels.
        noise: How it is drawn.
        length: Number of examples.
        seed: Of all draws.
    """

    def __init__(
        self,
        scans: Sequence[Source],
        packed: PackedSlices,
        *,
        side: int,
        noise: Noise,
        length: int,
        seed: int,
    ) -> None:
        self.packed, self.side, self.noise = packed, side, noise
        self.length, self.seed = length, seed
        self._ends = packed.shapes.prod(1).cumsum(0).tolist()
        self._slices = _by_kind_and_person(scans, packed.scans.tolist())

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> NoisyImage:
        rng = child(generator(self.seed), "complex slice", index)
        image = complex_image(self.draw(rng), self.side, rng=rng)
        return with_noise(image, self.noise, rng=rng)

    def draw(self, rng: torch.Generator) -> Float32[Tensor, "y x"]:
        """A slice: a kind first, then a person, so that nobody counts more for having more."""
        kinds = list(self._slices)
        weights = torch.tensor([KIND_WEIGHTS[kind] for kind in kinds])
        kind = kinds[int(torch.multinomial(weights, 1, generator=rng))]
        people = self._slices[kind]
        numbers = people[_below(len(people), rng)]
        image = self._slice(numbers[_below(len(numbers), rng)])
        return image if kind != "labels" else _painted(image, rng)

    def _slice(self, number: int) -> Float32[Tensor, "y x"]:
        rows, columns = self.packed.shapes[number].tolist()
        end = self._ends[number]
        return self.packed.values[end - rows * columns : end].view(rows, columns).float()


def pack(scans: Sequence[Source], file: Path, *, apart: float, seed: int) -> PackedSlices:
    """Slices of every scan and of its variants; read from ``file`` when they stand there.

    Args:
        scans: Clean scans and label maps.
        file: Ends in ``.safetensors``.
        apart: Distance between two slices of a scan that are kept, mm.
        seed: Decides the variants.
    """
    if not file.exists():
        values, shapes, numbers = [], [], []
        for number, source in enumerate(scans):
            for image in _slices_of(source, apart, seed):
                values.append(image.flatten().half())
                shapes.append(image.shape)
                numbers.append(number)
        made = {
            "values": torch.cat(values),
            "shapes": torch.tensor(shapes),
            "scans": torch.tensor(numbers),
        }
        write_bytes(file, safetensors.torch.save(made))
    return PackedSlices(**safetensors.torch.load_file(file))


def complex_image(
    magnitude: Float32[Tensor, "y x"], side: int, *, rng: torch.Generator
) -> Complex64[Tensor, "side side"]:
    """A crop of a slice as a scanner's complex image might show it.

    Args:
        magnitude: 1 = the brightest half percent.
        side: Of the crop, pixels.
        rng: Draws place, zoom, side, brightness curve, scale, shading and phase.
    """
    zoom = 2 ** (0.45 * _normal(rng)) if _uniform(rng) < 0.5 else 1.0
    wanted = round(side / min(1.35, max(0.65, zoom)))
    image = _cropped(magnitude, wanted, rng)
    if wanted != side:
        image = F.interpolate(image[None, None], size=(side, side), mode="bicubic", antialias=True)[
            0, 0
        ].clamp_min(0)
    image = turned(image[None], rng)[0]
    if _uniform(rng) < 0.5:
        image = image.pow(0.7 + 0.7 * _uniform(rng))
    scale = FULL * (0.5 + _uniform(rng))
    shading = (0.25 * _uniform(rng)) * _smooth(side, rng)
    phase = (1.2 * _uniform(rng)) * _smooth(side, rng) + 2 * math.pi * _uniform(rng)
    return torch.polar(scale * image * shading.exp(), phase)


def with_noise(
    image: Complex64[Tensor, "y x"], noise: Noise, *, rng: torch.Generator
) -> NoisyImage:
    """Draw the noise of an image, its level, and how much of k-space it spares."""
    level = noise.log_mean + noise.log_spread * _normal(rng)
    level = min(math.log(noise.most), max(math.log(noise.least), level))
    kept = 0.0
    if _uniform(rng) < noise.spared:
        fewest, most = noise.n_kept
        few, many = noise.n_columns
        kept = (fewest + _below(most - fewest + 1, rng)) / (few + _below(many - few + 1, rng))
    drawn = sparing_noise(image.shape[0], image.shape[1], kept, rng=rng)
    return NoisyImage(_parts(image), _parts(drawn), torch.tensor(level), torch.tensor(kept))


def sparing_noise(
    rows: int, columns: int, kept: float, *, rng: torch.Generator
) -> Complex64[Tensor, "y x"]:
    """White complex noise without the middle ``kept`` of the columns of k-space.

    A crop has no k-space of its own: it is cut from a row twice as long.
    """
    parts = torch.randn(2, rows, 2 * columns, generator=rng)
    white = torch.complex(parts[0], parts[1])
    if kept > 0:
        far = (torch.arange(2 * columns) - columns).abs() > kept * columns
        white = ifft(fft(white, (-1,)) * far, (-1,))
    return white[:, columns // 2 : columns // 2 + columns]


def _parts(image: Tensor) -> Tensor:
    """(y, x) complex to (2, y, x)."""
    return torch.view_as_real(image).movedim(-1, 0).contiguous()


def _smooth(side: int, rng: torch.Generator) -> Tensor:
    """A smooth field of variance about 1."""
    grid = torch.randn(1, 1, N_GRID, N_GRID, generator=rng)
    size = (side, side)
    return F.interpolate(grid, size=size, mode="bicubic", align_corners=True)[0, 0]


def _cropped(image: Tensor, side: int, rng: torch.Generator) -> Tensor:
    """A square of an image, which is put into the middle of air where it is smaller."""
    padding = []
    for length in reversed(image.shape):
        missing = max(0, side - length)
        padding += [missing // 2, missing - missing // 2]
    image = F.pad(image, padding)
    top, left = (_below(length - side + 1, rng) for length in image.shape)
    return image[top : top + side, left : left + side]


def _slices_of(source: Source, apart: float, seed: int) -> Iterator[Tensor]:
    """Slices of a scan and its variant, or of a label map, in every fine plane."""
    for scan, of_plane in _scans_of(source, seed):
        for axis in _fine_axes(scan):
            step = max(1, round(apart / scan.spacing[axis]))
            yield from of_plane(scan.data.clamp_min(0).movedim(axis, 0)[step // 2 :: step])


def _scans_of(source: Source, seed: int) -> Iterator[tuple[Volume, "Plane"]]:
    """What slices are cut from, and how."""
    if source.kind == "labels":
        yield read(source.path), _label_slices
        return
    for variant in VARIANTS:
        rng = child(generator(seed), source.person, source.path.name, variant)
        yield variant_of(source, variant, rng), _bright_slices


def _fine_axes(scan: Volume) -> tuple[int, ...]:
    """Axes whose planes have pixels nearly square and about as fine as the scan's finest side."""
    limit = FINEST_RATIO * min(scan.spacing)
    others = [[scan.spacing[a] for a in range(3) if a != axis] for axis in range(3)]
    return tuple(axis for axis in range(3) if max(others[axis]) <= limit)


def _bright_slices(images: Tensor) -> Iterator[Tensor]:
    """Those of a stack that show enough, 1 = the brightest half percent."""
    whole = _brightest(images.flatten()[::97])
    for image in images:
        brightest, shown = _brightest(image), image > 0.1 * whole
        if brightest > 0.3 * whole and float(shown.float().mean()) > ENOUGH:
            yield (image[_box(shown)] / brightest).clamp_max(4)


def _label_slices(images: Tensor) -> Iterator[Tensor]:
    """Those of a stack of labels that show enough."""
    for image in images:
        if float((image > 0).float().mean()) > ENOUGH:
            yield image[_box(image > 0)]


def _painted(labels: Tensor, rng: torch.Generator) -> Tensor:
    """A slice of labels in random brightness, 1 = the brightest half percent."""
    brain = torch.where(labels < OUTSIDE_BRAIN, labels, 0.0)
    if _uniform(rng) < STRIPPED and float((brain > 0).float().mean()) > ENOUGH:
        labels = brain
    image = paint_slice(labels, rng=rng)
    return (image / _brightest(image)).clamp_max(4)


def _brightest(values: Tensor) -> float:
    return float(values.flatten().kthvalue(math.ceil(BRIGHTEST * values.numel())).values)


def _box(shown: Tensor) -> tuple[slice, slice]:
    """Of what a slice shows, and some air."""
    rows, columns = (shown.any(1 - axis).nonzero().flatten() for axis in range(2))
    return slice(max(0, int(rows[0]) - MARGIN), int(rows[-1]) + 1 + MARGIN), slice(
        max(0, int(columns[0]) - MARGIN), int(columns[-1]) + 1 + MARGIN
    )


def _by_kind_and_person(
    scans: Sequence[Source], numbers: Sequence[int]
) -> dict[str, list[list[int]]]:
    """Numbers of the slices of each person, by the scan's kind."""
    found: dict[str, dict[str, list[int]]] = {}
    for slice_number, scan_number in enumerate(numbers):
        source = scans[scan_number]
        found.setdefault(source.kind, {}).setdefault(source.person, []).append(slice_number)
    return {kind: list(people.values()) for kind, people in found.items()}


def _uniform(rng: torch.Generator) -> float:
    return float(torch.rand((), generator=rng))


def _normal(rng: torch.Generator) -> float:
    return float(torch.randn((), generator=rng))


def _below(n: int, rng: torch.Generator) -> int:
    return int(torch.randint(n, (), generator=rng))
