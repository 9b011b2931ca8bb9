"""Slices of damaged scans, each with its quality: what MIQANet learns from and is measured on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor
from torch.utils.data import Dataset

from isocenter.artifacts import versions
from isocenter.assessors.hsfnet import ENOUGH, places
from isocenter.data.atomic import write_bytes
from isocenter.data.preprocess import Slabs
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume
from isocenter.datasets.collection import Source
from isocenter.ops.slabs import SHARE, find_head, simple_numbers, take_slabs
from isocenter.training.examples import ExampleSet, full_reference
from isocenter.training.variants import damaged, variant_of

__all__ = [
    "VERSIONS",
    "SliceSet",
    "Slices",
    "VersionSlices",
    "cropped",
    "slice_version",
    "slices_of_versions",
    "turned",
]

VERSIONS = (("pristine", 0), *versions("physical"))
"""Artifact and level of every version on which is measured."""


@dataclass(frozen=True)
class Slices:
    """Some slices of one damaged scan."""

    slices: Tensor
    """(S, side, side), 1 = the head's 99th percentile."""
    quality: Tensor
    """(S,) SSIM inside the undamaged head over the whole slice that they are cropped from; NaN
    where it shows too little of the head."""


class SliceSet(Dataset[Slices]):
    """``n_slices`` slices of a simulated scan at a time, by (seed, index) alone.

    Simulating costs more than learning: ``n_scans`` scans are simulated once, ``n_kept`` slices
    of each are kept in ``folder``, and every visit draws some of them and turns them anew.

    Args:
        people: Undamaged scans.
        preprocess: How slices are cut; one slice a slab.
        n_scans: Simulated scans.
        n_kept: Slices of each.
        n_slices: Slices of an example.
        side: Of the crop that is drawn from the slices of a visit.
        length: Number of examples.
        seed: Of all draws.
        folder: Where simulated scans are kept.
    """

    def __init__(
        self,
        people: Sequence[Source],
        preprocess: Slabs,
        *,
        n_scans: int,
        n_kept: int,
        n_slices: int,
        side: int,
        length: int,
        seed: int,
        folder: Path,
    ) -> None:
        self.scans = ExampleSet(people, preprocess, n_slabs=n_kept, length=n_scans, seed=seed)
        self.n_slices, self.side, self.length, self.seed = n_slices, side, length, seed
        self.folder = folder

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Slices:
        rng = child(generator(self.seed), "slices", index)
        slices, quality = self._some(self._scan_of(index), rng)
        return Slices(turned(cropped(slices, self.side, rng), rng), quality)

    def _some(self, number: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Some slices of a simulated scan and their quality; no others are read."""
        file = self.folder / f"slices-{self.seed}-{number:06d}.safetensors"
        if not file.exists():
            scan = self.scans[number]
            made = {"slices": scan.slabs[:, 0].contiguous(), "quality": scan.quality}
            write_bytes(file, safetensors.torch.save(made))
        with safetensors.safe_open(file, framework="pt") as kept:
            quality = kept.get_tensor("quality")
            drawn = torch.randperm(len(quality), generator=rng)[: self.n_slices].tolist()
            read = kept.get_slice("slices")
            return torch.stack([read[i] for i in drawn]), quality[drawn]

    def _scan_of(self, index: int) -> int:
        """Every scan comes once before any comes again."""
        round_number, within = divmod(index, len(self.scans))
        rng = child(generator(self.seed), "order", round_number)
        return int(torch.randperm(len(self.scans), generator=rng)[within])


def cropped(slices: Tensor, side: int, rng: torch.Generator) -> Tensor:
    """The same place of all slices, drawn anew."""
    top, left = (
        int(torch.randint(length - side + 1, (), generator=rng)) for length in slices.shape[1:]
    )
    return slices[:, top : top + side, left : left + side]


def turned(slices: Tensor, rng: torch.Generator) -> Tensor:
    """Mirrored and transposed at random: orientation carries no quality."""
    chances = torch.rand(3, generator=rng) < 0.5
    for chance, axis in zip(chances[:2].tolist(), (-1, -2), strict=True):
        slices = slices.flip(axis) if chance else slices
    return (slices.transpose(-1, -2) if chances[2] else slices).contiguous()


@dataclass(frozen=True)
class VersionSlices:
    """Slices of every version of one scan, in the order of ``VERSIONS``."""

    slices: Tensor
    """(V, S, side, side), half precision; S is that of the version with the most."""
    quality: Tensor
    """(V, S) as in :class:`Slices`."""
    shown: Tensor
    """(V, S) True where the damaged scan shows enough of a head, as an assessor would see it."""
    simple: Tensor
    """(V, N_SIMPLE), :func:`isocenter.ops.slabs.simple_numbers`."""


def slices_of_versions(
    source: Source, preprocess: Slabs, *, seed: int, folder: Path | None = None
) -> VersionSlices:
    """Every version of a scan under the preset ``physical``, cut into slices.

    Args:
        source: An undamaged scan, or a label map from which one is painted.
        preprocess: How slices are cut.
        seed: Of all draws.
        folder: Where the result is kept, and found again.
    """
    name = f"{seed}-{source.person}-{source.path.name}".replace("/", "-")
    file = None if folder is None else folder / f"{name}.safetensors"
    if file is not None and file.exists():
        return VersionSlices(**safetensors.torch.load(file.read_bytes()))
    rng = child(generator(seed), source.person, source.path.name, 0)
    clean = variant_of(source, 0, rng)
    rows = [
        slice_version(clean, damaged(clean, ("physical", *version), rng), preprocess)
        for version in VERSIONS
    ]
    most = max(len(row.quality) for row in rows)
    made = VersionSlices(
        torch.stack([_filled(row.slices, most, 0.0) for row in rows]),
        torch.stack([_filled(row.quality, most, torch.nan) for row in rows]),
        torch.stack([_filled(row.shown, most, False) for row in rows]),
        torch.stack([row.simple for row in rows]),
    )
    if file is not None:
        write_bytes(file, safetensors.torch.save(vars(made)))
    return made


def slice_version(clean: Volume, worse: Volume, preprocess: Slabs) -> VersionSlices:
    """One damaged scan; no axis of versions."""
    head = find_head(worse.data)
    batch = take_slabs(worse.data, worse.spacing, head, places(worse, head, preprocess), preprocess)
    return VersionSlices(
        batch.slabs[:, 0].half(),
        full_reference(clean, batch, worse, head, preprocess),
        batch.facts[:, SHARE] > ENOUGH,
        simple_numbers(batch),
    )


def _filled(values: Tensor, length: int, value: float) -> Tensor:
    """Along the first axis to ``length``."""
    more = values.new_full((length - len(values), *values.shape[1:]), value)
    return torch.cat([values, more])
