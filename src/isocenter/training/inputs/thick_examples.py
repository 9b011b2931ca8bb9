"""Thick slices and the thin ones that they were made from, cut and changed on the fly.

The contrast, the shading and the lesions of a crop are drawn anew at every visit, before the slices
are made thick, so that input and target show the same; then come the slice profile and the noise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from isocenter.artifacts import SNR_PRIORS
from isocenter.artifacts._lesions import insert_lesions
from isocenter.data.random import child, generator
from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume
from isocenter.datasets.label_heads import OUTSIDE_BRAIN, paint_head
from isocenter.errors import UsageError
from isocenter.ops.thick_slices import Acquisition, thick_slices
from isocenter.training.inputs.packed_scans import SHOWN, PackedScan

__all__ = ["Draws", "ThickExample", "ThickExamples", "profile"]

Item = TypeVar("Item")
RESTORED_PRIOR = "siqt-t1-0.36T"
"""The only one for the contrast of the scans whose tissues are known."""
PRESET_SHARE = 0.6
"""Of recontrasted crops, those that a published prior decides; the others get any brightness."""
ENOUGH = 0.35
"""Share of a crop that must show something."""
TRIES = 6
MOST_GAIN = 5.0


@dataclass(frozen=True)
class Draws:
    """How often what is drawn, and how strong it is."""

    plain: float = 0.9
    """Share of crops with the contrast of the scan,"""
    recontrasted: float = 0.05
    """with other brightness of white and grey matter,"""
    curved: float = 0.03
    """under a smooth curve of brightness,"""
    painted: float = 0.02
    """painted from label maps."""
    restored: float = 0.0
    """Share of recontrasted crops whose thick slices alone get the low field's T1w contrast: their
    thin ones show the scan's own, which is what a high field would have shown.  A network cannot
    tell these from crops that are to keep their contrast, so that what ships learns from none."""
    heads: float = 0.12
    """Share of whole heads among the scans of plain crops; twice that among curved ones."""
    third: float = 0.6
    """Share of crops whose slices lie across the third axis of the array, as most slices of brains
    do, where any axis could be; the others have one at random."""
    stripped: float = 0.5
    """Share of brains without their head among painted crops."""
    ratios: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8)
    ratio_weights: tuple[float, ...] = (0.01, 0.01, 0.45, 0.02, 0.02, 0.02, 0.47)
    thickness: tuple[float, float] = (0.7, 1.0)
    """Full width of a slice over the distance of slices; 0.75 in two crops of five."""
    rect: float = 0.2
    """Share of rectangular slice profiles; the others are Gaussian."""
    noise: tuple[float, float] = (0.005, 0.04)
    """Standard deviation over the brightness; its logarithm is uniform."""
    rician: float = 0.5
    """Share of crops of heads whose noise is Rician."""
    lesions: float = 0.25
    """Share of crops with lesions, 1 to 4 of them."""
    diameters: tuple[float, float] = (2.0, 14.0)
    """mm."""
    shading: float = 0.05
    """Share of shaded crops."""
    n_planes: int = 1
    """Planes across the slices that are learned of a crop."""
    reach: int = 2
    """Further ones at both ends, as neighbours."""
    side: int = 96
    """Of a plane, within slices, pixels."""
    n_thin: int = 64
    """Of a plane, across slices: about so many thin slices are learned,"""
    halo: int = 1
    """and so many thick ones at both ends are neighbours."""

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """Of plain, recontrasted, curved and painted crops."""
        return self.plain, self.recontrasted, self.curved, self.painted


class ThickExample(NamedTuple):
    """One crop; brightness 1 is about that of the head."""

    thick: Float32[Tensor, "1 x y z"]
    """With ``halo`` slices and ``reach`` planes at both ends that have no thin ones."""
    thin: Float32[Tensor, "p y h"]
    ratio: Int64[Tensor, ""]
    done: Float32[Tensor, ""]
    """Part of the training that is over, 0 to 1."""


class ThickExamples(Dataset[ThickExample]):
    """``length`` examples, each by (seed, index) alone; those of a batch share a ratio.

    Args:
        scans: Scans and label maps.
        draws: What is done to them.
        batch: Examples in a batch.
        length: Number of examples.
        seed: Of all draws.
    """

    def __init__(
        self, scans: Sequence[PackedScan], draws: Draws, *, batch: int, length: int, seed: int
    ) -> None:
        self.draws, self.batch, self.length, self.seed = draws, batch, length, seed
        self._brains = _by_person(scans, lambda scan: scan.kind == "brain")
        self._known = _by_person(scans, lambda scan: scan.wm is not None)
        self._heads = _by_person(scans, lambda scan: scan.kind == "head")
        self._labels = _by_person(scans, lambda scan: scan.kind == "labels")

    def __len__(self) -> int:
        return self.length

    def ratio_of(self, index: int) -> int:
        """Of the batch that an example belongs to."""
        rng = child(generator(self.seed), "ratio", index // self.batch)
        weights = torch.tensor(self.draws.ratio_weights)
        return self.draws.ratios[int(torch.multinomial(weights, 1, generator=rng))]

    def __getitem__(self, index: int) -> ThickExample:
        rng = child(generator(self.seed), "thick slices", index)
        ratio = self.ratio_of(index)
        fine, faded, rician = self._fine(ratio, rng)
        thick, thin = self._acquired(fine, faded, ratio, rician, rng)
        thick, thin = _mirrored(thick, thin, rng)
        done = torch.tensor(index / max(1, self.length))
        return ThickExample(thick[None], thin, torch.tensor(ratio), done)

    def _fine(self, ratio: int, rng: torch.Generator) -> tuple[Image3, Image3, bool]:
        """Thin slices, the same as the low field sees them, and whether noise is Rician."""
        draws = self.draws
        shares = torch.tensor(self._shares(), dtype=torch.float32)
        way = int(torch.multinomial(shares, 1, generator=rng))
        people = (self._real(way, rng), self._known, self._real(way, rng), self._labels)[way]
        scan = _any_of(_any_of(people, rng), rng)
        axis = self._axis(scan, rng)
        crop = _Crop(scan, axis, self._sides(ratio), rng)
        restored = way == RECONTRASTED and _chance(draws.restored, rng)
        image = self._contrast(PLAIN if restored else way, crop, rng)
        if _chance(draws.lesions, rng):
            brain = image > SHOWN if scan.kind == "brain" else image > 0.1
            n = 1 + _below(4, rng)
            image, _ = insert_lesions(
                image, brain, n=n, spacing=crop.spacing, diameters=draws.diameters, rng=rng
            )
        if _chance(draws.shading, rng):
            image = image * _shading(image.shape, rng)
        image = image * (0.9 + 0.2 * _uniform(rng))
        faded = image * _gains(RESTORED_PRIOR, crop, rng) if restored else image
        return image, faded, scan.kind == "head" and _chance(draws.rician, rng)

    def _axis(self, scan: PackedScan, rng: torch.Generator) -> int:
        """Across which the slices of a crop lie."""
        if 2 in scan.axes and _chance(self.draws.third, rng):
            return 2
        return _any_of(scan.axes, rng)

    def _shares(self) -> list[float]:
        """As far as there are scans for them."""
        have = (self._brains or self._heads, self._known, self._brains or self._heads, self._labels)
        return [
            share if people else 0.0 for share, people in zip(self.draws.shares, have, strict=True)
        ]

    def _real(self, way: int, rng: torch.Generator) -> list[list[PackedScan]]:
        share = self.draws.heads * (2 if way == CURVED else 1)
        heads = not self._brains or (bool(self._heads) and _chance(share, rng))
        return self._heads if heads else self._brains

    def _sides(self, ratio: int) -> tuple[int, int, int]:
        """Of a crop; one more thick slice at both ends for the flanks of the profile."""
        draws = self.draws
        n_thick = max(1, round(draws.n_thin / ratio)) + 2 * draws.halo + 2
        return draws.n_planes + 2 * draws.reach, draws.side, n_thick * ratio

    def _contrast(self, way: int, crop: "_Crop", rng: torch.Generator) -> Image3:
        if way == PAINTED:
            return _level(_painted(crop.values(), self.draws.stripped, rng), rng)
        image = crop.values()
        if way == RECONTRASTED:
            return _level(_recontrasted(image, crop, rng), rng)
        return _level(_curved(image, rng), rng) if way == CURVED else image

    def _acquired(
        self, fine: Image3, faded: Image3, ratio: int, rician: bool, rng: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Thick slices of ``faded`` with noise, and the thin ones of those that are no halo."""
        draws = self.draws
        low, high = draws.thickness
        share = 0.75 if _chance(0.4, rng) else low + (high - low) * _uniform(rng)
        rect = _chance(draws.rect, rng)
        thick = faded @ profile(fine.shape[2], ratio, round(share, 2), rect)
        thick = thick[:, :, 1:-1]
        least, most = np.log(draws.noise)
        sigma = float(np.exp(least + (most - least) * _uniform(rng)))
        noisy = thick + sigma * torch.randn(thick.shape, generator=rng)
        if rician:
            noisy = torch.hypot(noisy, sigma * torch.randn(thick.shape, generator=rng))
        margin, reach = (draws.halo + 1) * ratio, draws.reach
        return noisy, fine[reach : len(fine) - reach, :, margin:-margin]


PLAIN, RECONTRASTED, CURVED, PAINTED = range(4)


@lru_cache(maxsize=1024)
def profile(n_fine: int, ratio: int, share: float, rect: bool) -> Float32[Tensor, "fine coarse"]:
    """Fine slices times it are thick slices of ``share * ratio``."""
    kind = "rect" if rect else "gaussian"
    acquisition = Acquisition(ratio, share * ratio, profile=kind)  # type: ignore[arg-type]
    one_by_one = torch.eye(n_fine, dtype=torch.float64)[:, None]
    return thick_slices((n_fine, 1, n_fine), 2, acquisition)(one_by_one)[:, 0].float().contiguous()


class _Crop:
    """A place in a scan, the slices last."""

    def __init__(
        self, scan: PackedScan, axis: int, sides: tuple[int, int, int], rng: torch.Generator
    ) -> None:
        self.scan, self.sides = scan, sides
        first, second = (a for a in range(3) if a != axis)
        if _chance(0.5, rng):
            first, second = second, first
        self.order = (first, second, axis)
        x, y, z = (scan.spacing[a] for a in self.order)
        self.spacing = x, y, z
        self.lengths = [scan.values.shape[a] for a in self.order]
        for _ in range(TRIES):
            self.starts = [
                _start(length, side, rng) for length, side in zip(self.lengths, sides, strict=True)
            ]
            if float((self._cut(scan.values, 4) > SHOWN).float().mean()) > ENOUGH:
                break

    def values(self) -> Image3:
        return self._cut(self.scan.values)

    def shares(self) -> tuple[Image3, Image3]:
        """Of white and grey matter."""
        wm, gm = self.scan.wm, self.scan.gm
        if wm is None or gm is None:
            raise UsageError(f"the tissues of {self.scan.person} are not known: pack with them")
        return self._cut(wm) / 255, self._cut(gm) / 255

    def _cut(self, values: Tensor, step: int = 1) -> Image3:
        """Air where the crop reaches out of the scan."""
        parts, padding = [], []
        for start, side, length in zip(self.starts, self.sides, self.lengths, strict=True):
            parts.append(slice(max(0, start), min(length, start + side), step))
            padding += [max(0, -start), max(0, start + side - length)]
        cut = values.permute(self.order)[tuple(parts)].float()
        if step > 1 or not any(padding):
            return cut.contiguous()
        return F.pad(cut, (*padding[4:], *padding[2:4], *padding[:2]))


def _start(length: int, side: int, rng: torch.Generator) -> int:
    """Anywhere in the scan and a little beyond; in its middle where it is smaller."""
    if length <= side:
        return (length - side) // 2
    beyond = min(8, side // 8)
    return _below(length - side + 1 + 2 * beyond, rng) - beyond


def _painted(labels: Image3, stripped: float, rng: torch.Generator) -> Image3:
    if _chance(stripped, rng):
        labels = torch.where(labels < OUTSIDE_BRAIN, labels, 0.0)
    return paint_head(Volume(labels, np.eye(4)), rng=rng).data / 1000


def _recontrasted(image: Image3, crop: _Crop, rng: torch.Generator) -> Image3:
    """White and grey matter as a published prior has them, or all tissues at any brightness."""
    wm, gm = crop.shares()
    white, grey, fluid = crop.scan.means
    if _chance(PRESET_SHARE, rng):
        return image * _gains(_any_of(tuple(SNR_PRIORS), rng), crop, rng)
    wanted = (0.2 + 0.8 * torch.rand(3, generator=rng)).tolist()
    of_wm, of_gm, of_csf = (
        min(MOST_GAIN, one / mean) for one, mean in zip(wanted, (white, grey, fluid), strict=True)
    )
    csf = (1 - wm - gm).clamp_min(0) * (image > SHOWN)
    changed: Image3 = image * (1 + (of_wm - 1) * wm + (of_gm - 1) * gm + (of_csf - 1) * csf)
    return changed


def _gains(name: str, crop: _Crop, rng: torch.Generator) -> Image3:
    """What a prior of low-field scans multiplies every voxel by."""
    wm, gm = crop.shares()
    white, grey, _ = crop.scan.means
    prior = SNR_PRIORS[name]
    snr = prior.draw(rng)
    sigma = white / snr[0] if prior.reference == "wm" else grey / snr[1]
    gains: Image3 = 1 + (snr[0] * sigma / white - 1) * wm + (snr[1] * sigma / grey - 1) * gm
    return gains


N_KNOTS, LAST_KNOT = 8, 1.6


def _curved(image: Image3, rng: torch.Generator) -> Image3:
    """A smooth curve through random heights, in every second draw rising; air stays dark."""
    heights = 0.05 + torch.rand(N_KNOTS - 1, generator=rng)
    if _chance(0.5, rng):
        heights = heights.sort().values
    knots = torch.cat([torch.zeros(1), heights])
    fine = F.interpolate(knots[None, None], size=256, mode="linear", align_corners=True)
    smooth = F.avg_pool1d(F.pad(fine, (24, 24), mode="replicate"), 49, 1)[0, 0]
    smooth = smooth - smooth[0]
    place = (image * (255 / LAST_KNOT)).clamp(0, 254.999)
    index = place.long()
    low = smooth[index]
    return low + (smooth[index + 1] - low) * (place - index)


def _level(image: Image3, rng: torch.Generator) -> Image3:
    """The 99th percentile of what is no air, about as the scale of a head would be, becomes 1."""
    some = image.flatten()[::11]
    shown = some[some > SHOWN]
    if len(shown) < 100:
        return image
    scale = float(shown.kthvalue(round(0.99 * len(shown))).values)
    return image * ((0.9 + 0.2 * _uniform(rng)) / scale)


def _shading(shape: torch.Size, rng: torch.Generator) -> Image3:
    """Smooth, positive, about 1."""
    grid = 0.2 * torch.randn(1, 1, 3, 3, 3, generator=rng)
    field = F.interpolate(grid, size=tuple(shape), mode="trilinear", align_corners=True)
    return field[0, 0].exp()


def _mirrored(thick: Tensor, thin: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Along every axis, at random."""
    axes = (torch.rand(3, generator=rng) < 0.5).nonzero().flatten().tolist()
    return thick.flip(axes).contiguous(), thin.flip(axes).contiguous()


def _by_person(
    scans: Sequence[PackedScan], wanted: Callable[[PackedScan], bool]
) -> list[list[PackedScan]]:
    found: dict[str, list[PackedScan]] = {}
    for scan in scans:
        if wanted(scan):
            found.setdefault(scan.person, []).append(scan)
    return list(found.values())


def _any_of(items: Sequence[Item], rng: torch.Generator) -> Item:
    return items[_below(len(items), rng)]


def _chance(share: float, rng: torch.Generator) -> bool:
    return _uniform(rng) < share


def _uniform(rng: torch.Generator) -> float:
    return float(torch.rand((), generator=rng))


def _below(n: int, rng: torch.Generator) -> int:
    return int(torch.randint(n, (), generator=rng))
