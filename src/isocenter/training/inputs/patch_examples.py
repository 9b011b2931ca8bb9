"""Training examples of HyS-Net: cubes or slices of one volume, and the volume's label.

Every example is a function of (seed, index) alone.  A volume costs more than learning from it,
so what is cut from one is kept and learned from again and again, mirrored anew.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor
from torch.utils.data import Dataset

from isocenter.data.atomic import write_bytes
from isocenter.data.preprocess import Patches
from isocenter.data.random import child, generator
from isocenter.data.shapes import Image3, Mask3
from isocenter.ops.patches import looked_at, random_cubes, rescaled, take

__all__ = ["LabelledVolume", "PatchSet", "VolumeSource", "cut", "kept_volume"]


@dataclass(frozen=True, eq=False)
class LabelledVolume:
    """A scan and the number that its parts are to say."""

    data: Image3
    """Magnitude (x, y, z), arbitrary units."""
    head: Mask3
    label: float


VolumeSource = Callable[[int], LabelledVolume]
"""Volumes by their number."""


def kept_volume(file: Path, make: Callable[[], LabelledVolume]) -> LabelledVolume:
    """The volume in a file, made and kept when there is none."""
    if not file.exists():
        made = vars(volume := make()) | {"label": torch.tensor(volume.label, dtype=torch.float64)}
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, safetensors.torch.save(made))
    kept = safetensors.torch.load(file.read_bytes())
    return LabelledVolume(kept["data"], kept["head"], float(kept["label"]))


class PatchSet(Dataset[tuple[Tensor, Tensor]]):
    """``length`` examples, each of ``n_patches`` parts of one of ``n_volumes`` volumes.

    Args:
        volumes: Called once for each volume.
        preprocess: How parts are cut.
        n_volumes: How many volumes there are; each is passed once before one comes again.
        n_kept: Parts kept of each volume.
        n_patches: Parts of an example.
        length: Number of examples.
        seed: Decides places, order and mirroring.
        folder: Keeps the parts; its name must be another for other volumes.
    """

    def __init__(
        self,
        volumes: VolumeSource,
        preprocess: Patches,
        *,
        n_volumes: int,
        n_kept: int,
        n_patches: int,
        length: int,
        seed: int,
        folder: Path,
    ) -> None:
        self.volumes, self.preprocess = volumes, preprocess
        self.n_volumes, self.n_kept, self.n_patches = n_volumes, n_kept, n_patches
        self.length, self.seed, self.folder = length, seed, folder

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Parts (n_patches, 1, *spatial) in half precision, and the label ()."""
        parts, label = self.kept(self._volume_of(index))
        rng = child(generator(self.seed), "example", index)
        chosen = parts[torch.randperm(len(parts), generator=rng)[: self.n_patches]]
        axes = [axis for axis in range(2, parts.ndim) if torch.rand((), generator=rng) < 0.5]
        return chosen.flip(axes).contiguous(), label

    def kept(self, number: int) -> tuple[Tensor, Tensor]:
        """All parts that are kept of a volume, and its label; the same from the file or anew."""
        file = self.folder / f"{number:06d}.safetensors"
        if not file.exists():
            volume = self.volumes(number)
            rng = child(generator(self.seed), "places", number)
            parts = cut(volume, self.preprocess, self.n_kept, rng=rng)
            made = {"parts": parts.half(), "label": torch.tensor(volume.label)}
            self.folder.mkdir(parents=True, exist_ok=True)
            write_bytes(file, safetensors.torch.save(made))
        kept = safetensors.torch.load(file.read_bytes())
        return kept["parts"], kept["label"].float()

    def labels(self, n: int) -> Tensor:
        """Of the first ``n`` volumes."""
        return torch.stack([self.kept(i)[1] for i in range(min(n, self.n_volumes))])

    def _volume_of(self, index: int) -> int:
        """Every round passes all volumes in an order of its own."""
        turn, place = divmod(index, self.n_volumes)
        rng = child(generator(self.seed), "round", turn)
        return int(torch.randperm(self.n_volumes, generator=rng)[place])


def cut(volume: LabelledVolume, preprocess: Patches, n: int, *, rng: torch.Generator) -> Tensor:
    """Random parts (n, 1, *spatial) of a volume, brightness from 0 to 1.

    Cubes lie anywhere (``reference``) or have their centre in the head (``robust``); slices come
    from the middle of the volume.

    Args:
        volume: The scan.
        preprocess: The numbers.
        n: How many; fewer when there are not so many slices.
        rng: Draws the places.
    """
    if preprocess.n_dims == 2:
        planes = looked_at(volume.data, preprocess).values
        return planes[torch.randperm(len(planes), generator=rng)[:n]]
    mask = volume.head if preprocess.mode == "robust" else None
    starts = random_cubes(volume.data.shape, preprocess.side, n, rng=rng, mask=mask)
    return take(rescaled(volume.data, preprocess), starts, preprocess.side)
