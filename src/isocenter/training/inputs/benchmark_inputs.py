"""From the images of a benchmark to the inputs of every network compared on it.

What was made of an image is kept in a folder that runs may share; a run that takes other inputs
adds them.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor
from torch.utils.data import Dataset

from isocenter.data.atomic import write_bytes
from isocenter.data.preprocess import PublishedStack, Slabs
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume
from isocenter.datasets.benchmark import scan_name
from isocenter.ops.damage_facts import damage_facts
from isocenter.ops.slabs import (
    Head,
    find_head,
    published_inputs,
    simple_numbers,
    take_slabs,
    usable_axes,
)
from isocenter.training.inputs.benchmark import Simulator
from isocenter.training.inputs.benchmark_scans import Image, clean_scan

__all__ = ["Examples", "Inputs", "Preparation", "Prepared", "collated", "prepare"]

Prepared = dict[str, Tensor]
"""``stack`` (n_slices, side, side) in the scanner's units; ``slabs`` (S, 3, side, side) with
their ``facts`` (S, N_FACTS); ``damage`` and ``simple``, numbers about the whole image."""
ALL = ("stack", "slabs", "facts", "damage", "simple")


@dataclass(frozen=True)
class Inputs:
    """How an image is cut for the networks."""

    stack: PublishedStack = field(default_factory=PublishedStack)
    """Its crop is that of each scan where ``whole``."""
    whole: bool = True
    """Whole slices into the stack, whatever their size, instead of the published crop."""
    slabs: Slabs = field(default_factory=Slabs)
    n_slabs: int = 6
    """Along all usable axes together."""


def prepare(image: Volume, inputs: Inputs, wanted: Sequence[str] = ALL) -> Prepared:
    """What networks take of an image.

    Args:
        image: Any version of a scan.
        inputs: How it is cut.
        wanted: Names of what is to be made; slabs, their facts and the simple numbers come
            together.

    Raises:
        BadVolume: The image is smaller than the crop.
    """
    made: Prepared = {}
    if "stack" in wanted:
        crop = image.shape if inputs.whole else inputs.stack.crop
        made["stack"], _, _ = published_inputs(image.data, replace(inputs.stack, crop=crop))
    if {"slabs", "facts", "simple"}.intersection(wanted):
        head = find_head(image.data)
        where = _spread(image, head, inputs)
        batch = take_slabs(image.data, image.spacing, head, where, inputs.slabs)
        made |= {"slabs": batch.slabs.half(), "facts": batch.facts, "simple": simple_numbers(batch)}
    if "damage" in wanted:
        made["damage"] = torch.tensor(list(damage_facts(image.data, image.spacing).values()))
    return made


class Preparation:
    """Prepared images, made once: in memory, and in a folder between runs.

    Args:
        inputs: How images are cut.
        padded: As in :func:`clean_scan`.
        seed: Of label maps' contrast and of fields of view.
        folder: Where they are kept; ``None`` keeps them in memory alone.
        wanted: Names of the inputs; all when empty.
        crop: As in :func:`clean_scan`.
    """

    def __init__(
        self,
        inputs: Inputs,
        *,
        padded: bool,
        seed: int,
        folder: Path | None,
        wanted: Sequence[str] = (),
        crop: tuple[int, int, int] | None = None,
    ) -> None:
        self.crop = crop
        self.inputs, self.padded, self.seed, self.folder = inputs, padded, seed, folder
        self.wanted = tuple(wanted) or ALL
        self._memory: dict[Image, Prepared] = {}
        self._simulator = Simulator(
            partial(clean_scan, padded=padded, seed=seed, crop=crop), n_kept=1
        )

    def __call__(self, image: Image) -> Prepared:
        """The inputs of an image; the same tensors every time, not to be changed."""
        if image not in self._memory:
            made = self._from_folder(image)
            self._memory[image] = {name: made[name] for name in self.wanted}
        return self._memory[image]

    def _from_folder(self, image: Image) -> Prepared:
        if self.folder is None:
            return self._make(image, self.wanted)
        file = self.folder / f"{self._key(image)}.safetensors"
        kept = safetensors.torch.load(file.read_bytes()) if file.exists() else {}
        missing = [name for name in self.wanted if name not in kept]
        if missing:
            kept |= self._make(image, missing)
            self.folder.mkdir(parents=True, exist_ok=True)
            plain = {name: tensor.contiguous() for name, tensor in kept.items()}
            write_bytes(file, safetensors.torch.save(plain))
        return kept

    def _make(self, image: Image, wanted: Sequence[str]) -> Prepared:
        drawn = self._simulator(image.scan, image.version, image.seed)
        return prepare(drawn, self.inputs, wanted)

    def _key(self, image: Image) -> str:
        """Everything that decides the content."""
        scan, version = image.scan, image.version
        parts = [scan.person, scan_name(scan), version.preset, version.artifact, version.level]
        how = [self.inputs.stack.to_json(), self.inputs.slabs.to_json()]
        rest = [self.inputs.whole, self.inputs.n_slabs, self.padded, self.seed, image.seed]
        cut = [] if self.crop is None else [self.crop]
        text = json.dumps([parts, how, rest, *cut])
        return f"{scan.person}-{image.name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


class Examples(Dataset[Prepared]):
    """Training examples by index: every image once in each round, in an order of its own.

    Args:
        images: What is learned from.
        labels: Class of each.
        prepared: Makes or finds the inputs.
        seed: Decides the order.
        length: Examples in all.
        varied: Changes an example by a stream of its own, such as mirroring it.
    """

    def __init__(
        self,
        images: Sequence[Image],
        labels: Sequence[int],
        prepared: Callable[[Image], Prepared],
        *,
        seed: int,
        length: int,
        varied: Callable[[Prepared, torch.Generator], Prepared] | None = None,
    ) -> None:
        self.images, self.labels, self.prepared = tuple(images), tuple(labels), prepared
        self.seed, self.length, self.varied = seed, length, varied
        self._order: tuple[int, list[int]] = (-1, [])

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Prepared:
        turn, place = divmod(index, len(self.images))
        if self._order[0] != turn:
            rng = child(generator(self.seed), "order", turn)
            self._order = (turn, torch.randperm(len(self.images), generator=rng).tolist())
        at = self._order[1][place]
        example = {**self.prepared(self.images[at]), "label": torch.tensor(self.labels[at])}
        if self.varied is None:
            return example
        return self.varied(example, child(generator(self.seed), "varied", index))


def collated(examples: Sequence[Prepared]) -> Prepared:
    """A batch: everything stacked along a new first axis, in single precision."""
    return {
        name: torch.stack([_single(example[name]) for example in examples]) for name in examples[0]
    }


def _single(values: Tensor) -> Tensor:
    return values.float() if values.is_floating_point() else values


def _spread(image: Volume, head: Head, inputs: Inputs) -> list[tuple[int, int]]:
    """Slabs spread evenly over the inner part of the head, dealt to the usable axes in turn."""
    axes = usable_axes(image.spacing, image.shape, inputs.slabs)
    where = []
    for axis in axes:
        count = len(range(axes.index(axis), inputs.n_slabs, len(axes)))
        extent = head.last[axis] - head.first[axis]
        for i in range(count):
            share = inputs.slabs.margin + (1 - 2 * inputs.slabs.margin) * (i + 0.5) / count
            where.append((axis, head.first[axis] + round(share * extent)))
    return where
