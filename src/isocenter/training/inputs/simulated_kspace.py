"""Full k-space of several coils, simulated from slices of the collection's scans.

Nobody has a free collection of measured human k-space: magnitudes get a smooth random phase,
coils around the head and noise (:func:`isocenter.restorers.acquire`).  Label maps are painted.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from isocenter.data.atomic import write_bytes
from isocenter.data.io import read
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume
from isocenter.datasets.collection import Source
from isocenter.datasets.label_heads import paint_head
from isocenter.errors import UsageError
from isocenter.ops.regions import head_scale
from isocenter.restorers import acquire, reference
from isocenter.training.inputs.kspace_examples import FullSlice, log_uniform

__all__ = ["SimulatedSlices"]

PLANES = {0: "sagittal", 1: "coronal", 2: "axial"}
KIND_WEIGHTS = {"brain": 0.4, "head": 0.3, "labels": 0.3}
"""How often each kind of scan is drawn from."""
FINEST_RATIO = 1.7
"""Between the sides of a pixel, and between it and the scan's finest side."""
ENOUGH = 0.05
"""Share of a slice that must show something."""
SHOWN = 0.1
"""Of the head's brightness, above which a pixel shows something."""
TRIES = 20
NEIGHBOURS = 2
"""Slices of a label map on either side that are painted along: edges run through them."""


class SimulatedSlices:
    """Slices of some people's scans, as a scanner with several coils would measure them.

    Args:
        scans: Clean scans and label maps.
        folder: Keeps the scans, of which single slices can then be read.
        side: Rows and columns; larger slices are cut, smaller ones stand in air.
        n_coils: Fewest and most.
        noise: Least and most, as for :func:`~isocenter.restorers.acquire`.
        with_maps: Whether the true sensitivities go along.
        seed: Of :meth:`of_person`.

    Raises:
        UsageError: No scan.
    """

    def __init__(
        self,
        scans: Sequence[Source],
        folder: Path,
        *,
        side: int,
        n_coils: tuple[int, int],
        noise: tuple[float, float],
        with_maps: bool,
        seed: int,
    ) -> None:
        if not scans:
            raise UsageError("nobody to learn from: give a folder with scans of more people")
        self.folder, self.side, self.n_coils = folder, side, n_coils
        self.noise, self.with_maps, self.seed = noise, with_maps, seed
        self._scans: dict[str, dict[str, list[Source]]] = {}
        for scan in scans:
            self._scans.setdefault(scan.kind, {}).setdefault(scan.person, []).append(scan)
        folder.mkdir(parents=True, exist_ok=True)

    def draw(self, rng: torch.Generator) -> FullSlice:
        """A kind of scan first, then a person, so that nobody counts more for having more."""
        weights = torch.tensor([KIND_WEIGHTS[kind] for kind in self._scans])
        kind = list(self._scans)[int(torch.multinomial(weights, 1, generator=rng))]
        people = self._scans[kind]
        return self._measured(people[list(people)[_below(len(people), rng)]], rng)

    def of_person(self, person: str, number: int) -> FullSlice:
        """A slice of one person, the same whenever it is asked for."""
        own = [scan for people in self._scans.values() for scan in people.get(person, [])]
        return self._measured(own, child(generator(self.seed), "slice", person, number))

    def _measured(self, scans: Sequence[Source], rng: torch.Generator) -> FullSlice:
        scan, axis = self._slice(scans[_below(len(scans), rng)], rng)
        fewest, most = self.n_coils
        full = acquire(
            scan,
            mask="full",
            n_coils=fewest + _below(most - fewest + 1, rng),
            noise=log_uniform(self.noise, rng),
            plane=PLANES[axis],
            grid=(self.side, self.side),
            keep_maps=self.with_maps,
            rng=rng,
        )
        return FullSlice(full, reference(scan, full)[0])

    def _slice(self, source: Source, rng: torch.Generator) -> tuple[Volume, int]:
        """A slice that shows enough, if a few tries find one, and the axis across it."""
        spacing, shape, path = self._kept(source)
        axes = _fine_axes(spacing)
        axis = axes[_below(len(axes), rng)]
        with safetensors.safe_open(path, framework="pt") as file:
            affine, data = file.get_tensor("affine").numpy(), file.get_slice("data")
            for _ in range(TRIES):
                index = _below(shape[axis], rng)
                slab, middle = _slab(data, axis, index, source.kind == "labels")
                if float((slab.select(axis, middle) > SHOWN).float().mean()) > ENOUGH:
                    break
        scan = Volume(slab, affine, source.contrast)
        if source.kind == "labels":
            scan = paint_head(scan, rng=rng)
        image = scan.data.narrow(axis, middle, 1)
        return Volume(self._square(image, axis, rng).contiguous(), affine, scan.contrast), axis

    def _square(self, image: Tensor, axis: int, rng: torch.Generator) -> Tensor:
        """Cut where it is larger than the square, and turned over along some axes."""
        for other in {0, 1, 2} - {axis}:
            too_long = max(0, image.shape[other] - self.side)
            image = image.narrow(other, _below(too_long + 1, rng), image.shape[other] - too_long)
            if _below(2, rng):
                image = image.flip(other)
        return image

    def _kept(self, source: Source) -> tuple[tuple[float, ...], tuple[int, ...], Path]:
        """Spacing, shape and file of a scan; head brightness 1, or labels."""
        name = f"{source.person}_{source.path.name}".replace("/", "_")
        path = self.folder / f"{name}.safetensors"
        if not path.exists():
            scan = read(source.path)
            scale = 1.0 if source.kind == "labels" else head_scale(scan.data)
            data = (scan.data.clamp_min(0) / scale).half().contiguous()
            kept = {"data": data, "affine": torch.from_numpy(scan.affine.copy())}
            kept["spacing"] = torch.tensor(scan.spacing, dtype=torch.float64)
            write_bytes(path, safetensors.torch.save(kept))
        with safetensors.safe_open(path, framework="pt") as file:
            spacing = tuple(file.get_tensor("spacing").tolist())
            return spacing, tuple(file.get_slice("data").get_shape()), path


def _slab(data: Any, axis: int, index: int, thick: bool) -> tuple[Tensor, int]:
    """A slice, with its neighbours where asked for, and where it stands among them."""
    first = max(0, index - NEIGHBOURS) if thick else index
    chosen: list[slice] = [slice(None)] * 3
    chosen[axis] = slice(first, (index + NEIGHBOURS if thick else index) + 1)
    return data[tuple(chosen)].float(), index - first


def _fine_axes(spacing: Sequence[float]) -> list[int]:
    """Axes whose planes have pixels nearly square and about as fine as the scan's finest side."""
    limit = FINEST_RATIO * min(spacing)
    fine = [a for a in range(3) if max(s for i, s in enumerate(spacing) if i != a) <= limit]
    return fine or [max(range(3), key=lambda a: spacing[a])]


def _below(n: int, rng: torch.Generator) -> int:
    return int(torch.randint(n, (), generator=rng))
