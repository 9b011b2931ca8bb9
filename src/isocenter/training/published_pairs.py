"""Scans at low and at high field as SIQT's code makes them, and the patches that it keeps.

Lin et al., Medical Image Analysis 87:102807, 2023, doi:10.1016/j.media.2023.102807; patches are
cut when they are asked for, out of one file for each person.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors
import safetensors.torch
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from isocenter.artifacts import SnrPrior, low_field_scan, segment_tissue, tissue_maps_from_files
from isocenter.data.atomic import write_bytes
from isocenter.data.io import read
from isocenter.data.random import child, generator
from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume
from isocenter.datasets.scan import Scan
from isocenter.ops.intensity_scale import IntensityScale, fit_scale
from isocenter.ops.thick_slices import Acquisition
from isocenter.ops.tissue import TissueMaps

__all__ = [
    "AXIS",
    "Pair",
    "Patch",
    "PublishedPatches",
    "Ready",
    "high_field",
    "prepared",
    "scaled",
    "simulated_pair",
]

AXIS = 2
"""Slices become thick from the feet to the head, whatever the voxels' sides."""
SIDE, STRIDE = 32, 16
"""Of a patch of thin slices."""
LEAST = 0.2
"""Part of a patch that is at least as bright as its volume's mean."""
NIFTI = re.compile(r"(?P<stem>.+)\.nii(?:\.gz)?")
SPM_ELSE = "T1brain"
"""Maps of a scan whose own are not there: ``c1T1brain.nii`` and so on, as published."""
SCALES = "scales.safetensors"
SIDES = ("low", "high")
Pair = tuple[Float32[Tensor, "x y z"], Float32[Tensor, "x y fine"]]
"""Thick and thin slices."""


class Patch(NamedTuple):
    """One example, on the scales of low and of high field."""

    thick: Float32[Tensor, "1 x y z"]
    thin: Float32[Tensor, "1 x y fine"]


@dataclass(frozen=True, eq=False)
class Ready:
    """What is learned from."""

    files: tuple[Path, ...]
    """Of each person, ``low`` and ``high`` with a border of zeros, and the ``places`` that are
    kept."""
    scales: tuple[IntensityScale, IntensityScale]
    """Of low and of high field."""
    spreads: tuple[tuple[float, float], tuple[float, float]]
    """Mean and standard deviation of all kept patches."""


def high_field(scan: Scan) -> tuple[Volume, TissueMaps]:
    """A brain at high field and its tissues.

    Beside the scan are looked for: the brain by itself (``NAME_brain.nii.gz``, as in HCP) and
    the maps of SPM (``c1NAME.nii`` and so on, else ``c1T1brain.nii``).  What is not there is
    found by the package's own means.

    Args:
        scan: From the index of a data set.

    Raises:
        BadVolume: A file cannot be used, or brain or tissues cannot be found.
    """
    stripped = _beside(scan.path, "{stem}_brain")
    volume = read(stripped or scan.path, contrast=scan.contrast)
    names = [path for path in (stripped, scan.path) if path is not None]
    files = next(filter(None, map(_spm_maps, names)), ())
    tissue = tissue_maps_from_files(files, volume, whole=False) if files else segment_tissue(volume)
    if stripped is None:
        inside = tissue.csf + tissue.gm + tissue.wm >= 0.5
        volume = Volume(volume.data * inside, volume.affine, volume.contrast, volume.history)
    return volume, tissue


def simulated_pair(
    scan: Scan, ratio: int, snr: tuple[float, float], prior: SnrPrior, *, rng: torch.Generator
) -> Pair:
    """Thick slices in the published order, and the thin ones under them.

    The first thick slice lies on the first thin one; the thickness is three quarters of the
    ratio, the rest is a gap.  What is no tissue is dimmed in both.

    Args:
        scan: From the index of a data set.
        ratio: Thin slices for a thick one.
        snr: Signal over noise of white and grey matter.
        prior: Names the reference tissue.
        rng: Source of the noise.
    """
    volume, tissue = high_field(scan)
    made = low_field_scan(
        volume,
        tissue,
        Acquisition(ratio, phase=0.0),
        snr=snr,
        reference=prior.reference,
        axis=AXIS,
        order="published",
        rng=rng,
    )
    thick = made.scan.data
    thin = volume.data * (tissue.csf + tissue.gm + tissue.wm)
    return thick, thin[..., : ratio * thick.shape[2]].contiguous()


def scaled(image: Image3, scale: IntensityScale) -> Image3:
    """On the common scale, nothing below 0."""
    return scale(image).clamp_min(0)


def prepared(
    scans: Mapping[str, Scan],
    pair: Callable[[Scan], Pair],
    folder: Path,
    *,
    ratio: int,
    learned: Sequence[str],
    most: int,
    seed: int,
    say: Callable[[str], None] = print,
) -> Ready:
    """Everybody's scans, simulated once and kept in a folder.

    Args:
        scans: Of each person.
        pair: Thick and thin slices of a scan.
        folder: Where files lie, or shall.
        ratio: Thin slices for a thick one.
        learned: People whose brightness decides the scales.
        most: Patches of a person.
        seed: Decides which, where there are more.
        say: Told who is simulated.
    """
    folder.mkdir(exist_ok=True)
    files = {person: folder / f"{number}.safetensors" for number, person in enumerate(scans)}
    known = folder / SCALES
    if not known.exists():
        raw = {person: folder / f"raw-{number}.safetensors" for number, person in enumerate(scans)}
        for person, file in raw.items():
            if not file.exists():
                say(f"simulating {scans[person].path.name}")
                write_bytes(file, _bytes(**dict(zip(SIDES, pair(scans[person]), strict=True))))
        _finish(raw, files, known, ratio=ratio, learned=learned, most=most, seed=seed)
    kept = safetensors.torch.load_file(known)
    low, high = (IntensityScale(tuple(kept[f"{side}_landmarks"].tolist())) for side in SIDES)
    (a, b), (c, d) = (kept[f"{side}_spread"].tolist() for side in SIDES)
    return Ready(tuple(files.values()), (low, high), ((a, b), (c, d)))


class PublishedPatches(Dataset[Patch]):
    """Every kept patch once, in an order of its own, before any comes again.

    Args:
        files: From :func:`prepared`.
        ratio: Thin slices for a thick one.
        length: Number of examples; all patches once if 0.
        seed: Of the orders.
    """

    def __init__(self, files: Sequence[Path], ratio: int, *, length: int = 0, seed: int) -> None:
        self.files, self.ratio, self.seed = tuple(files), ratio, seed
        self.places = [_places_in(file) for file in self.files]
        self.table = [(i, j) for i, rows in enumerate(self.places) for j in range(len(rows))]
        self.length = length or len(self.table)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Patch:
        turn, within = divmod(index, len(self.table))
        rng = child(generator(self.seed), "order", turn)
        return self.patch(int(torch.randperm(len(self.table), generator=rng)[within]))

    def patch(self, number: int) -> Patch:
        """By its number in the table of people and places."""
        which, row = self.table[number]
        x, y, z = (STRIDE * place for place in self.places[which][row].tolist())
        across = slice(x, x + SIDE), slice(y, y + SIDE)
        with safetensors.safe_open(self.files[which], framework="pt") as kept:
            low, high = (kept.get_slice(side) for side in SIDES)
            thick = low[*across, z // self.ratio : (z + SIDE) // self.ratio]
            return Patch(thick[None], high[*across, z : z + SIDE][None])


def bordered(image: Image3, ratio: int = 1) -> Float32[Tensor, "a b c"]:
    """With half a patch of zeros on every side."""
    around = SIDE // 2
    return F.pad(image, (around // ratio,) * 2 + (around,) * 4)


def bright_places(high: Image3) -> Int64[Tensor, "n 3"]:
    """Patches of a bordered volume that show enough, in strides.

    Args:
        high: Thin slices with a border of zeros.
    """
    bright = (high >= high.mean()).float()
    shares = F.avg_pool3d(bright[None, None], SIDE, STRIDE)[0, 0]
    return (shares >= LEAST).nonzero()


def _finish(
    raw: Mapping[str, Path],
    files: Mapping[str, Path],
    known: Path,
    *,
    ratio: int,
    learned: Sequence[str],
    most: int,
    seed: int,
) -> None:
    """Put all pairs on scales, choose patches, and write the scales last."""
    scales = [_scale([raw[person] for person in learned], side) for side in SIDES]
    totals = {side: torch.zeros(3, dtype=torch.float64) for side in SIDES}
    for person, file in files.items():
        pair = safetensors.torch.load_file(raw[person])
        low, high = (scaled(pair[side], scale) for side, scale in zip(SIDES, scales, strict=True))
        low, high = bordered(low, ratio), bordered(high)
        places = bright_places(high)
        rng = child(generator(seed), "patches", person)
        places = places[torch.randperm(len(places), generator=rng)[:most]]
        if person in learned:
            totals["low"] += _sums(low, places, ratio)
            totals["high"] += _sums(high, places, 1)
        write_bytes(file, _bytes(low=low, high=high, places=places))
    made = {f"{side}_spread": _spread(totals[side]) for side in SIDES}
    made |= {
        f"{side}_landmarks": torch.tensor(scale.landmarks, dtype=torch.float64)
        for side, scale in zip(SIDES, scales, strict=True)
    }
    write_bytes(known, _bytes(**made))
    for file in raw.values():
        file.unlink()


def _scale(files: Sequence[Path], side: str) -> IntensityScale:
    """The common scale of many scans, of which one at a time is held in memory."""
    rows = [fit_scale([safetensors.torch.load_file(file)[side]]).landmarks for file in files]
    return IntensityScale(tuple(np.mean(rows, axis=0).tolist()))


def _sums(image: Image3, places: Int64[Tensor, "n 3"], ratio: int) -> Float[Tensor, " 3"]:
    """Number, sum and sum of squares of the voxels of some patches."""
    covered = torch.zeros_like(image)
    for x, y, z in (STRIDE * places).tolist():
        covered[x : x + SIDE, y : y + SIDE, z // ratio : (z + SIDE) // ratio] += 1
    weights, values = covered.double(), image.double()
    sums = weights.sum(), (weights * values).sum(), (weights * values.square()).sum()
    return torch.stack(sums)


def _spread(total: Float[Tensor, " 3"]) -> Float[Tensor, " 2"]:
    """Mean and standard deviation."""
    mean, power = (total[1:] / total[0]).unbind()
    return torch.stack([mean, (power - mean.square()).clamp_min(1e-12).sqrt()])


def _places_in(file: Path) -> Int64[Tensor, "n 3"]:
    with safetensors.safe_open(file, framework="pt") as kept:
        places: Tensor = kept.get_tensor("places")
        return places.clone()


def _spm_maps(path: Path) -> tuple[Path, ...]:
    """The three maps of a scan, else those of the T1-weighted brain beside it; else nothing."""
    for name in ("{stem}", SPM_ELSE):
        found = [_beside(path, f"c{number}{name}") for number in (1, 2, 3)]
        if all(found):
            return tuple(file for file in found if file is not None)
    return ()


def _beside(path: Path, name: str) -> Path | None:
    """A NIfTI file beside another one, where it is there."""
    match = NIFTI.fullmatch(path.name)
    if match is None:
        return None
    stem = name.format(stem=match["stem"])
    files = (path.with_name(stem + ending) for ending in (".nii.gz", ".nii"))
    return next((file for file in files if file.is_file()), None)


def _bytes(**tensors: Tensor) -> bytes:
    return safetensors.torch.save({name: one.contiguous() for name, one in tensors.items()})
