"""Unrolled networks that learn from pairs of undersampled k-space and the full image.

The defaults are the published sizes, for an accelerator.  On a processor ``varnet.n_cascades=4
varnet.width=8 side=128 schedule.n_steps=5000`` is a beginning; MoDL is ``net=modl
schedule.learning_rate=1e-3``.  With ``source=fastmri`` or ``source=calgary`` the data folder is
that of fastMRI or of the Calgary-Campinas set, whose slices differ in size, so that
``schedule.batch`` stays 1; ``sampling.kinds=poisson`` undersamples both phase encodings of the
latter.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.random import child, generator
from isocenter.datasets.collection import sources
from isocenter.metrics.psnr import psnr
from isocenter.nets.modl import Config as MoDLConfig
from isocenter.nets.modl import build as build_modl
from isocenter.nets.varnet import Config as VarNetConfig
from isocenter.nets.varnet import build as build_varnet
from isocenter.ops.coils import combine, root_sum_of_squares
from isocenter.ops.fourier import ifft
from isocenter.restorers._fidelity import uniform_ssim
from isocenter.restorers._supervised import SCALE
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.recipe import Recipe, Task
from isocenter.training.engine.schedule import Schedule
from isocenter.training.engine.splits import Split
from isocenter.training.inputs.kspace_examples import (
    Example,
    FullSlices,
    KSpaceExamples,
    Sampling,
    collate,
)
from isocenter.training.inputs.kspace_folders import MeasuredSlices, kspace_files, split_files
from isocenter.training.inputs.simulated_kspace import SimulatedSlices
from isocenter.training.recipes.assessor import AssessorRecipe

__all__ = ["RECIPE", "SupervisedRecipe", "reconstructed", "zero_filled"]

PLANE = (-2, -1)
N_ASKED = 4
"""Slices of a person on which a network answers."""
N_DRAWN = 64
"""Pixels of a slice that are compared when it answers."""


@dataclass(frozen=True)
class SupervisedRecipe(Recipe):
    """E2E-VarNet or MoDL on simulated k-space of the collection, or on a folder of k-space."""

    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            n_steps=60000,
            batch=1,
            learning_rate=3e-4,
            weight_decay=0.0,
            warm_up=500,
            average=0.999,
            precision="32",
            validate_every=2000,
            save_every=200,
        )
    )
    net: Literal["varnet", "modl"] = "varnet"
    varnet: VarNetConfig = field(default_factory=VarNetConfig)
    modl: MoDLConfig = field(default_factory=MoDLConfig)
    source: Literal["collection", "fastmri", "calgary"] = "collection"
    """What the data folder holds."""
    sampling: Sampling = field(default_factory=Sampling)
    loss: Literal["ssim", "l1"] = "ssim"
    maps: Literal["found", "true"] = "found"
    """Coil maps that MoDL is given: found in the calibration lines, as a restorer has to, or
    those of the simulation."""
    side: int = 256
    """Rows and columns of simulated k-space."""
    n_coils: tuple[int, int] = (4, 16)
    """Fewest and most simulated coils."""
    noise: tuple[float, float] = (0.002, 0.03)
    """Least and most simulated noise, over the slice's brightness."""
    n_validation: int = 32
    """Slices of validation people."""

    def people(self, data: Path) -> tuple[str, ...]:
        """Everybody in the folder."""
        if self.source == "collection":
            return AssessorRecipe(seed=self.seed).people(data)
        return tuple(sorted({file.person for file in kspace_files(data, self.source)}))

    def split(self, data: Path) -> Split:
        """People of each side: the collection's as for the assessor, a folder's as it says."""
        if self.source == "collection":
            return AssessorRecipe(seed=self.seed).split(data)
        return split_files(kspace_files(data, self.source), rng=generator(self.seed))

    def task(self, data: Path, split: Split, scratch: Path) -> Task:
        """The image's likeness to what all of k-space shows."""
        length = self.schedule.n_steps * self.schedule.batch
        examples = self.examples(data, split["train"], scratch / "slices", length)
        watched = self.examples(data, split["validation"], scratch / "slices")
        people = split["validation"]
        known = [
            watched.of_person(people[number % len(people)], number)
            for number in range(self.n_validation if people else 0)
        ]
        return Task(
            self.network(),
            examples,
            partial(loss_of, kind=self.loss),
            validate=partial(_figures, known=known) if known else None,
            collate=collate,
        )

    def network(self) -> nn.Module:
        """With its first weights."""
        if self.net == "varnet":
            return build_varnet(self.varnet, seed=self.seed)
        return build_modl(self.modl, seed=self.seed)

    def examples(
        self, data: Path, people: Sequence[str], folder: Path, length: int = 0
    ) -> KSpaceExamples:
        """Examples of some people.

        Args:
            data: The data folder.
            people: Of one side.
            folder: Where scans of the collection are kept.
            length: Number of examples.
        """
        return KSpaceExamples(
            self._slices(data, set(people), folder),
            self.sampling,
            with_maps=self.net == "modl",
            length=length,
            seed=self.seed,
        )

    def _slices(self, data: Path, people: set[str], folder: Path) -> FullSlices:
        if self.source != "collection":
            files = [file for file in kspace_files(data, self.source) if file.person in people]
            return MeasuredSlices(files, seed=self.seed)
        return SimulatedSlices(
            [source for source in sources(data) if source.person in people],
            folder,
            side=self.side,
            n_coils=self.n_coils,
            noise=self.noise,
            with_maps=self.net == "modl" and self.maps == "true",
            seed=self.seed,
        )

    def answers(
        self, net: nn.Module, data: Path, people: Sequence[str], say: Callable[[str], None]
    ) -> Outcomes:
        """Magnitudes of some pixels of undersampled slices, beside those of all of k-space."""
        rows: list[tuple[str, str, float, float, float]] = []
        with TemporaryDirectory() as folder:
            examples = self.examples(data, people, Path(folder))
            for person in people:
                for number in range(N_ASKED):
                    batch = collate([examples.of_person(person, number)])
                    rows += _pixels(person, number, batch, reconstructed(net, batch), self.seed)
                say(person)
        names, items, truth, said, start = zip(*rows, strict=True)
        return Outcomes(
            kind="values",
            people=names,
            items=items,
            truth=np.array(truth),
            outputs=np.array([said, start]).T,
            columns=("estimate", "zero_filled"),
        )

    def checkpoint(self, net: nn.Module, card: Mapping[str, Any]) -> Checkpoint:
        """The network and the brightness that it expects."""
        return Checkpoint(
            net=self.net,
            config=asdict(self.varnet if self.net == "varnet" else self.modl),
            preprocess=SCALE,
            outputs={"image": {"unit": "that of k-space"}},
            calibration={},
            card=card,
            tensors=net.state_dict(),
        )


RECIPE = SupervisedRecipe


def loss_of(net: nn.Module, batch: Example, *, kind: Literal["ssim", "l1"]) -> Tensor:
    """1 - SSIM with fastMRI's window and each target's largest value as range, or the mean
    absolute error."""
    said = _said(net, batch)
    if kind == "l1":
        return (said - batch.target).abs().mean()
    peak = batch.target.amax(PLANE, keepdim=True).clamp_min(1e-6)
    return 1 - uniform_ssim(said / peak, batch.target / peak, data_range=1.0).mean()


@torch.no_grad()
def reconstructed(net: nn.Module, batch: Example) -> Tensor:
    """What a network in evaluation mode makes of a batch, (B, y, x), on the CPU."""
    device = next(net.parameters()).device
    kspace, places, target, maps = batch
    maps = None if maps is None else maps.to(device)
    there = Example(kspace.to(device), places.to(device), target.to(device), maps)
    return _said(net, there).cpu()


def zero_filled(batch: Example) -> Tensor:
    """Magnitude (B, y, x) where what was not measured is 0."""
    images = ifft(batch.kspace, PLANE)
    if batch.maps is None:
        return root_sum_of_squares(images)
    return combine(images, batch.maps[:, None])[:, 0].abs()


def _said(net: nn.Module, batch: Example) -> Tensor:
    given = () if batch.maps is None else (batch.maps,)
    said: Tensor = net(batch.kspace, batch.places, *given)
    return said.abs()


def _figures(net: nn.Module, *, known: Sequence[Example]) -> dict[str, float]:
    """PSNR and SSIM, means over slices, range: each target's largest value."""
    rows = []
    for example in known:
        batch = collate([example])
        said, peak = reconstructed(net, batch), float(example.target.max())
        near = psnr(said[None], batch.target[None], data_range=peak)
        like = uniform_ssim(said, batch.target, data_range=peak)
        rows.append((float(near), float(like)))
    return dict(zip(("PSNR", "SSIM"), np.mean(rows, axis=0).tolist(), strict=True))


def _pixels(
    person: str, number: int, batch: Example, said: Tensor, seed: int
) -> Iterator[tuple[str, str, float, float, float]]:
    """Some pixels of a slice: (person, which, true, reconstructed and zero-filled magnitude)."""
    images = torch.cat([batch.target, said, zero_filled(batch)]).flatten(1)
    rng = child(generator(seed), "pixels", person, number)
    places = torch.randperm(images.shape[1], generator=rng)[:N_DRAWN]
    for place, (true, here, there) in zip(
        places.tolist(), images[:, places].T.tolist(), strict=True
    ):
        yield person, f"slice {number} pixel {place}", true, here, there
