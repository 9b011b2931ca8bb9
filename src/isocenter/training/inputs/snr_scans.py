"""Clean scans whose tissues are known, and what noise, contrast and shading make of them."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional as F

from isocenter.artifacts import noise
from isocenter.data.atomic import write_bytes, write_text
from isocenter.data.io import read
from isocenter.data.random import child, generator
from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume
from isocenter.datasets.collection import Source
from isocenter.datasets.label_heads import BRIGHTNESS, paint_known_head
from isocenter.errors import BadVolume
from isocenter.ops.brain import brain_mask, why_implausible
from isocenter.ops.filters import gaussian_blur
from isocenter.ops.regions import head_mask, head_scale
from isocenter.ops.tissue import TissueMaps, tissue_maps, why_untrustworthy
from isocenter.training.inputs.patch_examples import LabelledVolume
from isocenter.training.inputs.tissue_snr import N_TISSUES, sure_tissues, total_snr

__all__ = [
    "CleanScan",
    "KeptScan",
    "Look",
    "SimulatedVolumes",
    "clean_scans",
    "draw_look",
    "simulate",
]

BRAIN, OUTSIDE_BRAIN = N_TISSUES + 1, N_TISSUES + 2
"""Parts beside the sure tissues: the rest of the brain, and the rest of the head."""
NOISE_SNR = (5.0, 80.0)
"""Brightness of the head's 99th percentile over the noise of one channel, log-uniform."""
GAMMA = (0.6, 1.6)
FALLING = 0.25
"""Share of scans whose brightness falls where it rose, as T2 does from T1."""
STRIPPED = 0.4
"""Share of scans whose surroundings are cut off after the noise has come."""
TEXTURE = (0.03, 0.10)
"""What a painted tissue varies by: without it its SNR would have no bound."""
COARSEST = 1.6
"""Largest factor between the sides of the voxels of a scan and of its coarser variants."""


@dataclass(frozen=True, eq=False)
class CleanScan:
    """A scan before anything is done to it, and what is in it."""

    even: Image3
    """Under no shading; 1 = the head's 99th percentile."""
    field: Image3
    """Shading, geometric mean 1 in the brain."""
    parts: Tensor
    """uint8 (x, y, z): 0 air, 1 to 3 surely a tissue, 4 the brain's rest, 5 the head's rest."""

    @property
    def head(self) -> Tensor:
        """Mask of the head."""
        return self.parts > 0

    @property
    def brain(self) -> Tensor:
        """Mask of the brain."""
        return self.head & (self.parts != OUTSIDE_BRAIN)


@dataclass(frozen=True)
class KeptScan:
    """A clean scan in a file."""

    file: Path

    def load(self) -> CleanScan:
        """Read it."""
        kept = safetensors.torch.load(self.file.read_bytes())
        return CleanScan(kept["even"].float(), kept["field"].float(), kept["parts"])


@dataclass(frozen=True)
class Look:
    """What is done to a clean scan."""

    snr: float = math.inf
    """Brightness of the head's 99th percentile over the noise of each channel."""
    gamma: float = 1.0
    """Exponent of the curve through which the brightness goes."""
    falling: bool = False
    """Whether bright tissue turns dark and dark tissue bright."""
    shading: float = 1.0
    """Exponent of the scan's own shading."""
    stripped: bool = False
    """Whether what is outside the brain is 0."""


def draw_look(rng: torch.Generator) -> Look:
    """Noise, contrast, shading and surroundings."""
    low, high = map(math.log, NOISE_SNR)
    return Look(
        snr=math.exp(low + (high - low) * _uniform(rng)),
        gamma=GAMMA[0] + (GAMMA[1] - GAMMA[0]) * _uniform(rng),
        falling=_uniform(rng) < FALLING,
        shading=1.5 * _uniform(rng),
        stripped=_uniform(rng) < STRIPPED,
    )


def simulate(scan: CleanScan, look: Look, *, rng: torch.Generator) -> LabelledVolume:
    """Contrast, shading, Rician noise and stripping, in this order.

    The label is :func:`~isocenter.training.inputs.tissue_snr.total_snr` under the known tissues and
    shading; the mask is that of the brain where the surroundings are cut off.

    Args:
        scan: The clean scan.
        look: What is done to it.
        rng: Draws the noise.
    """
    curved = _curve(scan, look)
    field = scan.field**look.shading
    data = curved * field
    if math.isfinite(look.snr):
        given = {
            "level": 1,
            "preset": "physical",
            "sigma": head_scale(data, scan.head) / look.snr,
            "stream": int(torch.randint(2**53, (), generator=rng)),
        }
        data = noise.apply(Volume(data, torch.eye(4).double().numpy()), given)
    head = scan.brain if look.stripped else scan.head
    if look.stripped:
        data = data * head
    return LabelledVolume(data, head, total_snr(data / field, scan.parts))


@dataclass(frozen=True)
class SimulatedVolumes:
    """Volumes by number, each a function of (seed, number): a person, a scan, a look."""

    people: tuple[tuple[KeptScan, ...], ...]
    """Of each person the clean scans; nobody counts more for having more of them."""
    seed: int

    def __call__(self, number: int) -> LabelledVolume:
        rng = child(generator(self.seed), "volume", number)
        scans = self.people[int(torch.randint(len(self.people), (), generator=rng))]
        scan = scans[int(torch.randint(len(scans), (), generator=rng))]
        return simulate(scan.load(), draw_look(rng), rng=rng)


def clean_scans(
    source: Source, n_variants: int, *, seed: int, folder: Path
) -> tuple[KeptScan, ...]:
    """Variants of a clean scan, read from ``folder`` if they were made before.

    The first one of a scan is on its own grid, each other one has larger voxels; of a label map
    each is another painting.

    Args:
        source: Scan or label map.
        n_variants: How many.
        seed: Of all variants.
        folder: Keeps the variants, or the reason why there are none.

    Returns:
        Nothing when the scan's tissues cannot be told apart.
    """
    name = source.path.name.split(".")[0]
    files = [folder / f"clean-{name}-{i}.safetensors" for i in range(n_variants)]
    reason = folder / f"clean-{name}.txt"
    if reason.exists():
        return ()
    if not all(file.exists() for file in files):
        rng = child(generator(seed), "clean", source.person, source.path.name)
        try:
            variants = list(_variants(source, n_variants, rng))
        except BadVolume as error:
            write_text(reason, f"{error}\n")
            return ()
        for file, scan in zip(files, variants, strict=True):
            # Half precision is a tenth of the noise of the best scanner, and half the file.
            kept = {"even": scan.even.half(), "field": scan.field.half(), "parts": scan.parts}
            write_bytes(file, safetensors.torch.save(kept))
    return tuple(KeptScan(file) for file in files)


def _variants(source: Source, n_variants: int, rng: torch.Generator) -> Iterator[CleanScan]:
    if source.kind == "labels":
        for i in range(n_variants):
            yield _kept(_painted(source, child(rng, i)), (1.0, 1.0, 1.0))
        return
    made = _scanned(source)
    for i in range(n_variants):
        grown = 1 + (COARSEST - 1) * torch.rand(3, generator=child(rng, i)) * (i > 0)
        yield _kept(made, tuple(grown.tolist()))


@dataclass(frozen=True, eq=False)
class _Made:
    """A scan and its maps on one grid."""

    image: Volume
    maps: TissueMaps
    brain: Tensor
    head: Tensor


def _scanned(source: Source) -> _Made:
    scan = read(source.path)
    scan = replace(scan, data=scan.data.clamp_min(0))
    brain = brain_mask(scan.data, spacing=scan.spacing, contrast=scan.contrast)
    why = why_implausible(brain, scan.spacing)
    if why is not None:
        raise BadVolume(f"no brain was found: {why}")
    maps = tissue_maps(scan.data, brain, spacing=scan.spacing, contrast=scan.contrast)
    why = why_untrustworthy(maps, scan.data)
    if why is not None:
        raise BadVolume(f"the tissues could not be told apart: {why}")
    return _Made(scan, maps, brain, head_mask(scan.data) | brain)


def _painted(source: Source, rng: torch.Generator) -> _Made:
    """A head without noise in a contrast, shading and texture of its own."""
    contrast = tuple(BRIGHTNESS)[int(torch.randint(len(BRIGHTNESS), (), generator=rng))]
    labels = read(source.path)
    known = paint_known_head(
        labels,
        contrast=contrast,
        noise=0.0,
        shading=0.3 * _uniform(rng),
        deep_grey=_uniform(rng),
        rng=rng,
    )
    rough = gaussian_blur(torch.randn(labels.shape, generator=rng), (0.8,) * 3)
    share = TEXTURE[0] + (TEXTURE[1] - TEXTURE[0]) * _uniform(rng)
    image = known.image.data * (1 + share * rough / rough.std()).clamp_min(0)
    maps = TissueMaps(known.csf, known.gm, known.wm, known.field)
    return _Made(replace(known.image, data=image), maps, known.brain, labels.data > 0)


def _kept(made: _Made, factors: tuple[float, ...]) -> CleanScan:
    """What is kept of a scan, cut to its head and averaged to larger voxels."""
    box = _box(made.head)
    shape = tuple(
        round((part.stop - part.start) / factor) for part, factor in zip(box, factors, strict=True)
    )
    smaller = _averaged(box, shape)
    spacing = tuple(s * f for s, f in zip(made.image.spacing, factors, strict=True))
    field = smaller(made.maps.field)
    even = smaller(made.image.data / made.maps.field)
    brain, head = (smaller(mask.float()) > 0.5 for mask in (made.brain, made.head))
    tissue = sure_tissues(
        *map(smaller, made.maps[:N_TISSUES]), spacing=(spacing[0], spacing[1], spacing[2])
    )
    parts = torch.where(tissue > 0, tissue, torch.where(brain, BRAIN, OUTSIDE_BRAIN * head))
    even = even / head_scale(even, head)
    return CleanScan(even, field, parts.to(torch.uint8))


def _averaged(
    box: tuple[slice, slice, slice], shape: tuple[int, ...]
) -> Callable[[Tensor], Tensor]:
    def smaller(data: Tensor) -> Tensor:
        return F.interpolate(data[box][None, None].float(), size=shape, mode="area")[0, 0]

    return smaller


def _box(mask: Tensor) -> tuple[slice, slice, slice]:
    """The smallest box around a mask, and a rim of air."""
    sides = []
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        reached = mask.any(others[1]).any(others[0]).nonzero()
        last = min(mask.shape[axis], int(reached[-1]) + 1 + RIM)
        sides.append(slice(max(0, int(reached[0]) - RIM), last))
    return sides[0], sides[1], sides[2]


RIM = 8
"""Voxels of air left around a head, as far as the scan has them."""


def _curve(scan: CleanScan, look: Look) -> Image3:
    """Brightness through a monotone curve that keeps 0 and 1, or nearly turns the head round."""
    level = scan.even.clamp(0, 1.5)
    if look.falling:
        # No threshold within the head: fluid as dark as air would stay dark beside bright fluid.
        level = torch.where(scan.head, (1.15 - 0.9 * level).clamp_min(0.02), level)
    return level.pow(look.gamma)


def _uniform(rng: torch.Generator) -> float:
    return float(torch.rand((), generator=rng))
