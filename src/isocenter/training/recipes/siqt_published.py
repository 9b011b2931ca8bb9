"""SIQT as it was published: thick slices simulated once for each person, patches of 32 voxels.

Lin et al., Medical Image Analysis 87:102807, 2023, doi:10.1016/j.media.2023.102807, and its code:
of the people sorted by name the first 60 are learned from and the next 10 tested; a folder of
fewer is shared out alike.  The data folder is that of HCP (``source=hcp``), of LEMON
(``source=lemon contrast=FLAIR``) or any folder of scans (``source=plain``); tissue maps of SPM
are taken from beside the scans.  The defaults are the published numbers, for an accelerator.

Two things differ.  Whoever validates is not learned from (the last fifth of the people, where the
code takes the last fifth of its patch files).  And in ESPCN, whose patches were smaller, the border
is repeated, so that all four networks see the same patches.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import default_collate

from isocenter.artifacts import SnrPrior, snr_prior
from isocenter.artifacts._snr_prior import published_draws
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.random import child, generator
from isocenter.data.shapes import Image3
from isocenter.datasets.catalogue import index
from isocenter.datasets.scan import Scan
from isocenter.errors import NothingFound, UsageError
from isocenter.metrics.psnr import psnr
from isocenter.metrics.ssim import ssim
from isocenter.nets.siqt_published import Config, SiqtPublished, build
from isocenter.ops.thick_slices import Acquisition, interpolation
from isocenter.ops.windows import multiply_along
from isocenter.training.outcomes import Outcomes
from isocenter.training.published_pairs import (
    Pair,
    Patch,
    PublishedPatches,
    prepared,
    scaled,
    simulated_pair,
)
from isocenter.training.published_tiles import Tiles, enhanced
from isocenter.training.recipe import Recipe, Task
from isocenter.training.schedule import Schedule
from isocenter.training.splits import Split

__all__ = ["RECIPE", "SiqtPublishedRecipe"]

N_LEARNED, N_TESTED = 60, 10
VALIDATE = 0.2
"""Of those who are learned from."""
SEED_LEARNED, SEED_TESTED = 300, 305
"""Of the published draws of signal over noise."""
PRIORS = {"T1w": "siqt-t1-0.36T", "FLAIR": "siqt-flair-0.36T"}
MAPS = "c1", "c2", "c3"
AT_ONCE = 8
N_DRAWN = 500
"""Voxels of a person that are compared in answers."""


@dataclass(frozen=True)
class SiqtPublishedRecipe(Recipe):
    """The published protocol on HCP, on LEMON or on a folder of scans."""

    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            n_steps=262_500,  # 100 times 105,000 patches, a fifth of them held back
            batch=32,
            learning_rate=1e-3,
            weight_decay=0.0,
            warm_up=0,
            inverse=1e-6,
            average=0.0,
            clip=1e9,
            precision="32",
            validate_every=2625,
            save_every=525,
        )
    )
    config: Config = field(default_factory=Config)
    source: Literal["hcp", "lemon", "plain"] = "hcp"
    """How the data folder is laid out."""
    contrast: Literal["T1w", "T2w", "FLAIR"] = "T1w"
    prior: str = ""
    """Of signal over noise: a name, or a file of ``isocenter fit-prior``; the published one of
    the contrast if not given."""
    seed_compat: bool = True
    """Draw signal over noise as the published code does; else as :class:`SnrPrior` does, within
    its bound and by name."""
    most: int = 1750
    """Patches of a person."""
    n_validation: int = 2048
    """Patches of validation people whose loss is watched."""
    tiles: Tiles = "published"
    """How a whole scan is put together: from the middles of patches, side by side, or blended."""

    def people(self, data: Path) -> tuple[str, ...]:
        """Everybody with a scan of the contrast."""
        return tuple(sorted(self._scans(data)))

    def split(self, data: Path) -> Split:
        """The first 60 people by name, the last fifth of them to validate, and the next 10.

        Raises:
            UsageError: Fewer than three people.
        """
        learned, tested = self._sides(data)
        n_validation = max(1, int(VALIDATE * len(learned)))
        train, validation = learned[:-n_validation], learned[-n_validation:]
        return {"train": train, "validation": validation, "test": tested}

    def task(self, data: Path, split: Split, scratch: Path) -> Task:
        """Mean squared error on the scale of high-field patches."""
        config, people = self.config, (*split["train"], *split["validation"])
        scans = self._scans(data)
        ready = prepared(
            {person: scans[person] for person in people},
            partial(self._pair, draws=self._draws(data)),
            scratch / "pairs",
            ratio=config.ratio,
            learned=split["train"],
            most=self.most,
            seed=self.seed,
        )
        net = build(config, seed=self.seed)
        net.learn_scale(ready.scales, ready.spreads)
        n_train = len(split["train"])
        length = self.schedule.n_steps * self.schedule.batch
        loss = partial(_loss, spread=ready.spreads[1][1])
        watched = PublishedPatches(ready.files[n_train:], config.ratio, seed=self.seed)
        return Task(
            net,
            PublishedPatches(ready.files[:n_train], config.ratio, length=length, seed=self.seed),
            loss,
            partial(_figures, loss, watched, min(self.n_validation, len(watched))),
        )

    def answers(
        self, net: nn.Module, data: Path, people: Sequence[str], say: Callable[[str], None]
    ) -> Outcomes:
        """Brightness of some voxels of whole scans on the scale of high field, and by splines."""
        assert isinstance(net, SiqtPublished)
        scans, draws = self._scans(data), self._draws(data)
        rows: list[tuple[str, str, float, float, float]] = []
        for person in people:
            pair = self._pair(scans[person], draws=draws)
            low, high = (scaled(*one) for one in zip(pair, net.scales(), strict=True))
            said = enhanced(net, low, self.tiles)
            told = {"enhanced": said, "cubic": cubic(low, self.config.ratio)}
            say(f"{person}: " + "; ".join(_told(name, one, high) for name, one in told.items()))
            rows += _voxels(person, high, *told.values(), seed=self.seed)
        names, items, truth, estimates, splines = zip(*rows, strict=True)
        return Outcomes(
            kind="values",
            people=names,
            items=items,
            truth=np.array(truth),
            outputs=np.array([estimates, splines]).T,
            columns=("estimate", "cubic"),
        )

    def checkpoint(self, net: nn.Module, card: Mapping[str, Any]) -> Checkpoint:
        """The network with the brightness that it learned from."""
        prior = self._prior()
        n_learned = sum(
            len(card.get("split", {}).get(side, ())) for side in ("train", "validation")
        )
        told = {
            "signal over noise": prior.provenance,
            "reference tissue": prior.reference,
            "people": f"{n_learned} learned from or validated with, of {N_LEARNED} as published",
        }
        return Checkpoint(
            net="siqt_published",
            config=asdict(self.config),
            preprocess={"kind": "landmarks", "first": 0.0, "axis": "feet to head"},
            outputs={"thin": ["mean"]},
            calibration={},
            card={**card, "protocol": told},
            tensors=net.state_dict(),
        )

    def _scans(self, data: Path) -> dict[str, Scan]:
        """The first scan of each person by path; no map of SPM, no copy without a skull."""
        found: dict[str, Scan] = {}
        for scan in index(self.source, data):
            if scan.contrast == self.contrast and not _is_derived(scan.path):
                found.setdefault(scan.person, scan)
        if not found:
            raise NothingFound(f"no {self.contrast} scan in {data}: give another contrast")
        return found

    def _sides(self, data: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """People to learn from, and people to be tested."""
        people = self.people(data)
        if len(people) < 3:
            raise UsageError(
                f"{data} has {len(people)} people: to learn, validate and test takes 3"
            )
        whole = N_LEARNED + N_TESTED
        n_tested = max(1, min(N_TESTED, round(len(people) * N_TESTED / whole)))
        n_learned = min(N_LEARNED, len(people) - n_tested)
        return people[:n_learned], people[n_learned : n_learned + n_tested]

    def _prior(self) -> SnrPrior:
        name = self.prior or PRIORS.get(self.contrast, "")
        if not name:
            raise UsageError(
                f"no signal over noise was published for {self.contrast}: give prior=NAME or the "
                "file of isocenter fit-prior"
            )
        return snr_prior(name)

    def _draws(self, data: Path) -> dict[str, tuple[float, float]]:
        """Signal over noise (white, grey matter) of everybody on a side."""
        prior, drawn = self._prior(), {}
        for people, seed in zip(self._sides(data), (SEED_LEARNED, SEED_TESTED), strict=True):
            rows = published_draws(prior, len(people), seed).tolist()
            for person, (wm, gm) in zip(people, rows, strict=True):
                rng = child(generator(self.seed), "signal over noise", person)
                drawn[person] = (wm, gm) if self.seed_compat else prior.draw(rng)
        return drawn

    def _pair(self, scan: Scan, *, draws: Mapping[str, tuple[float, float]]) -> Pair:
        rng = child(generator(self.seed), "noise", scan.person)
        prior = self._prior()
        return simulated_pair(scan, self.config.ratio, draws[scan.person], prior, rng=rng)


RECIPE = SiqtPublishedRecipe


def cubic(low: Image3, ratio: int) -> Float32[Tensor, "x y fine"]:
    """Thin slices by cubic splines, the first one where the first thick one is."""
    n = low.shape[2]
    back = interpolation(n * ratio, n, Acquisition(ratio, phase=0.0), order=3)
    return multiply_along(low, back.T, 2)


def _loss(net: nn.Module, batch: Patch, *, spread: float) -> Tensor:
    return F.mse_loss(net(batch.thick) / spread, batch.thin / spread)


def _figures(
    loss: Callable[[nn.Module, Patch], Tensor],
    watched: PublishedPatches,
    n: int,
    net: nn.Module,
) -> dict[str, float]:
    """The loss of patches of validation people; higher is better."""
    device, total = next(net.parameters()).device, 0.0
    for first in range(0, n, AT_ONCE):
        some = [watched[i] for i in range(first, min(first + AT_ONCE, n))]
        batch = Patch(*(one.to(device) for one in default_collate(some)))
        total += float(loss(net, batch)) * len(some)
    return {"negative loss": -total / n}


def _told(name: str, said: Image3, high: Image3) -> str:
    """PSNR and SSIM by slices where the scan shows something, as text."""
    inside = high > 0
    images = [one.movedim(2, 0)[:, None] for one in (said, high)]
    near = psnr(said[None, None], high[None, None], data_range=float(high.max()), mask=inside)
    span = float(high[inside].max() - high[inside].min())
    like = ssim(*images, data_range=span, mask=inside.movedim(2, 0)[:, None])
    return f"{name} PSNR {float(near):.2f} dB, SSIM {float(like.nanmean()):.4f}"


def _voxels(
    person: str, high: Image3, said: Image3, splines: Image3, *, seed: int
) -> Iterator[tuple[str, str, float, float, float]]:
    """Some voxels: (person, which, true, enhanced and interpolated brightness)."""
    inside = (high > 0).flatten().nonzero().flatten()
    rng = child(generator(seed), "voxels", person)
    places = inside[torch.randperm(len(inside), generator=rng)[:N_DRAWN]]
    columns = torch.stack([one.flatten()[places] for one in (high, said, splines)]).T.tolist()
    for place, column in zip(places.tolist(), columns, strict=True):
        yield (person, f"voxel {place}", *column)


def _is_derived(path: Path) -> bool:
    """Whether a file stands beside the scan that it was made from."""
    name = path.name
    others = [name[2:]] if name.startswith(MAPS) else []
    if "_brain." in name:
        others.append(name.replace("_brain.", ".", 1))
    return any(path.with_name(other).exists() for other in others)
