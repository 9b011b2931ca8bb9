"""HyS-Net on the total SNR of scans: the shipped network, and the ablation of the paper.

The defaults make the small network that ships.  The published size, arXiv:2107.06888, is
``width=64 head=224,112,56,1 branch=256,128 side=96 n_patches=9 schedule.batch=2``; the twelve
rows of its ablation are ``depth`` 18, 34 and 50, with and without ``hyper``, in ``n_dims`` 2 and 3.
``net`` puts another network in its place, on the same volumes and labels.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.preprocess import Patches
from isocenter.data.random import child, generator
from isocenter.data.shapes import Image3
from isocenter.datasets.collection import Source, sources
from isocenter.errors import UnknownName, UsageError
from isocenter.nets.hysnet import Config
from isocenter.ops.patches import looked_at
from isocenter.statistics import srocc
from isocenter.training.engine.outcomes import Outcomes
from isocenter.training.engine.recipe import Recipe, Task
from isocenter.training.engine.schedule import Schedule
from isocenter.training.engine.splits import Split, split_people
from isocenter.training.inputs.patch_examples import (
    LabelledVolume,
    PatchSet,
    VolumeSource,
    kept_volume,
)
from isocenter.training.inputs.snr_scans import (
    KeptScan,
    Look,
    SimulatedVolumes,
    clean_scans,
    simulate,
)
from isocenter.training.inputs.table_scans import TableScan, table_scans
from isocenter.training.networks.label_nets import LabelNet, build_label_net, is_of_slices
from isocenter.training.networks.slice_nets import Size
from isocenter.training.recipes.assessor import AssessorRecipe

__all__ = ["CONTRASTS", "NOISE", "RECIPE", "HySNetRecipe", "patch_scores"]

AT_ONCE = 8
"""Parts of a volume that go through the network together."""
NOISE = (80.0, 40.0, 20.0, 10.0, 5.0)
"""Brightness over noise of the volumes that are asked about; the first one is none in effect."""
CONTRASTS = {
    "as scanned": Look(),
    "flat": Look(gamma=0.7),
    "steep": Look(gamma=1.4),
    "falling": Look(falling=True),
}
"""Curves of the volumes that are asked about."""


@dataclass(frozen=True)
class HySNetRecipe(Recipe):
    """Patches of volumes with simulated noise, contrast and shading, and the volume's SNR."""

    schedule: Schedule = field(
        default_factory=lambda: Schedule(
            n_steps=1400,
            batch=6,
            learning_rate=2e-3,
            weight_decay=1e-3,
            warm_up=60,
            average=0.99,
            validate_every=200,
            save_every=25,
        )
    )
    net: LabelNet = "hysnet"
    """What learns; networks of slices see them whatever ``n_dims`` is."""
    size: Size = "small"
    """Of the networks of slices."""
    depth: Literal[18, 34, 50] = 18
    hyper: bool = True
    n_dims: Literal[2, 3] = 3
    width: int = 8
    head: tuple[int, ...] = (32, 16, 8, 1)
    direct: bool = False
    branch: tuple[int, int] = (32, 32)
    activation: Literal["sigmoid", "relu"] = "sigmoid"
    mode: Literal["robust", "reference"] = "robust"
    side: int = 48
    stride: int = 48
    slice_side: int = 384
    n_patches: int = 4
    """Parts of a volume in an example."""
    n_kept: int = 24
    """Parts kept of a volume, from which an example's are drawn."""
    n_volumes: int = 400
    """Simulated volumes that are learned from."""
    n_validation: int = 36
    """Simulated volumes of validation people."""
    n_variants: int = 2
    """Clean variants of a scan: on its own grid, and with larger voxels."""
    folders: tuple[str, ...] = ("brains", "dicom", "labels")
    """Of the collection; in ``ms`` hardly a scan's tissues can be told apart."""
    table: str = ""
    """A table or document of MRIQC: its ``snr_total`` are the labels of the scans in the data
    folder, which are taken as they are."""
    definition: str = ""
    """By which formulas the table was measured, where it does not say."""
    clean: str = ""
    """Folder that keeps clean scans with their tissues; the run's own when not given."""
    kept: str = ""
    """Folder that keeps what is cut from simulated volumes, and the volumes that are asked about:
    runs of other networks on the same data find them there.  The run's own when not given."""
    asked_noise: tuple[float, ...] = NOISE
    """Brightness over noise of the volumes that are asked about."""
    asked_contrasts: tuple[str, ...] = tuple(CONTRASTS)
    """Their brightness curves."""
    n_looked: int | None = None
    """Parts of such a volume that the network looks at, evenly chosen; all when ``none``."""

    def __post_init__(self) -> None:
        for name in self.asked_contrasts:
            if name not in CONTRASTS:
                raise UnknownName("contrast", name, CONTRASTS)

    def config(self) -> Config:
        """Shape of the network."""
        return Config(
            depth=self.depth,
            hyper=self.hyper,
            n_dims=self.n_dims,
            width=self.width,
            head=self.head,
            direct=self.direct,
            branch=self.branch,
            activation=self.activation,
        )

    def preprocess(self) -> Patches:
        """How parts are cut."""
        return Patches(
            mode=self.mode,
            n_dims=2 if is_of_slices(self.net) else self.n_dims,
            side=self.side,
            stride=self.stride,
            slice_side=self.slice_side,
        )

    def people(self, data: Path) -> tuple[str, ...]:
        """Everybody whose scans are used."""
        if self.table:
            return tuple(sorted({scan.person for scan in self._table(data)}))
        return tuple(sorted({source.person for source in self._sources(data)}))

    def split(self, data: Path) -> Split:
        """People of each side; the collection is divided as for the assessor."""
        everybody = self.people(data)
        recipe = AssessorRecipe(seed=self.seed)
        if not self.table:
            sides = recipe.split(data)
            return {side: tuple(p for p in sides[side] if p in everybody) for side in sides}
        return split_people(everybody, dict(recipe.shares), rng=generator(self.seed))

    def task(self, data: Path, split: Split, scratch: Path) -> Task:
        """Standardised absolute error of every part against the label of its volume."""
        net = build_label_net(self.net, self.config(), self.size, seed=self.seed)
        volumes, n_volumes = self.volumes(data, split["train"], scratch, "train")
        examples = PatchSet(
            volumes,
            self.preprocess(),
            n_volumes=n_volumes or self.n_volumes,
            n_kept=self.n_kept,
            n_patches=self.n_patches,
            length=self.schedule.n_steps * self.schedule.batch,
            seed=self.seed,
            folder=self._folder(scratch, "train", split),
        )
        volumes, n_volumes = self.volumes(data, split["validation"], scratch, "validation")
        known = PatchSet(
            volumes,
            self.preprocess(),
            n_volumes=n_volumes or self.n_validation,
            n_kept=self.n_kept,
            n_patches=self.n_kept,
            length=n_volumes or self.n_validation,
            seed=self.seed,
            folder=self._folder(scratch, "validation", split),
        )
        labels = examples.labels(N_SCALE)
        net.learn_scale(labels)
        loss = partial(_loss, spread=float(net.label_spread))
        return Task(net, examples, loss, validate=partial(_figures, known=known))

    def answers(
        self, net: nn.Module, data: Path, people: Sequence[str], say: Callable[[str], None]
    ) -> Outcomes:
        """SNR of whole volumes: every scan under a fixed grid of noise and contrast."""
        rows: list[tuple[str, str, float, float, float]] = []
        with tempfile.TemporaryDirectory() as folder:
            for person, item, volume in self.asked(data, people, Path(folder)):
                scores = patch_scores(net, volume.data, self.preprocess(), most=self.n_looked)
                spread = float(scores.std()) if len(scores) > 1 else 0.0
                rows.append((person, item, volume.label, float(scores.mean()), spread))
                say(f"{item}: SNR {volume.label:.2f}, said {rows[-1][3]:.2f}")
        names, items, truth, said, spread_of = zip(*rows, strict=True)
        return Outcomes(
            kind="values",
            people=names,
            items=items,
            truth=np.array(truth),
            outputs=np.array([said, spread_of]).T,
            columns=("estimate", "spread"),
        )

    def asked(
        self, data: Path, people: Sequence[str], folder: Path
    ) -> Iterator[tuple[str, str, LabelledVolume]]:
        """(person, what it is, volume) of every row of the answers.

        Args:
            data: Folder with the scans.
            people: Of one side.
            folder: Keeps clean scans, when the setting ``clean`` names no other.
        """
        if self.table:
            for listed in self._table(data):
                if listed.person in people:
                    yield listed.person, listed.path.name, listed.load()
            return
        kept = Path(self.clean) if self.clean else folder
        for source in self._sources(data):
            if source.person not in people:
                continue
            for scan in clean_scans(source, self.n_variants, seed=self.seed, folder=kept)[:1]:
                yield from self._versions(source, scan)

    def volumes(
        self, data: Path, people: Sequence[str], scratch: Path, side: str
    ) -> tuple[VolumeSource, int | None]:
        """Volumes of some people by number, and how many there are when that is known.

        Args:
            data: Folder with the scans.
            people: Of one side.
            scratch: Keeps clean scans, when the setting ``clean`` names no other folder.
            side: Its name; each side's volumes are drawn with a stream of their own.

        Raises:
            UsageError: No scan of these people shows its tissues clearly enough.
        """
        if self.table:
            scans = [scan for scan in self._table(data) if scan.person in people]
            return (lambda number: scans[number].load()), len(scans)
        kept = Path(self.clean) if self.clean else scratch / "clean"
        kept.mkdir(parents=True, exist_ok=True)
        known: dict[str, tuple[KeptScan, ...]] = {}
        for source in self._sources(data):
            if source.person in people:
                scans_here = clean_scans(source, self.n_variants, seed=self.seed, folder=kept)
                known[source.person] = known.get(source.person, ()) + scans_here
        usable = tuple(scans_here for scans_here in known.values() if scans_here)
        if not usable:
            raise UsageError(
                f"no scan for {side} shows its tissues clearly enough: give more people"
            )
        seed = child(generator(self.seed), "volumes", side).initial_seed()
        return SimulatedVolumes(usable, seed), None

    def checkpoint(self, net: nn.Module, card: Mapping[str, Any]) -> Checkpoint:
        """The network before its calibration."""
        slices = {"name": self.net, "size": self.size}
        return Checkpoint(
            net=self.net,
            config=slices if is_of_slices(self.net) else asdict(self.config()),
            preprocess=self.preprocess().to_json(),
            outputs={"snr": {"of": "snr_total", "better": "higher", "unit": None}},
            calibration={},
            card=card,
            tensors=net.state_dict(),
        )

    def _sources(self, data: Path) -> tuple[Source, ...]:
        found = sources(data)
        return tuple(s for s in found if s.person.split("/")[0] in self.folders)

    def _versions(
        self, source: Source, scan: KeptScan
    ) -> Iterator[tuple[str, str, LabelledVolume]]:
        """The fixed grid of noise and contrast."""
        name = source.path.name.split(".")[0]
        for contrast in self.asked_contrasts:
            for snr in self.asked_noise:
                rng = child(generator(self.seed), "asked", source.person, name, contrast, snr)
                look = replace(CONTRASTS[contrast], snr=snr)
                make = partial(_simulated, scan, look, rng)
                item = f"{name}, {contrast}, {snr:g}"
                if not self.kept:
                    yield source.person, item, make()
                    continue
                folder = Path(self.kept) / f"asked-{self.seed}-{source.person.replace('/', '-')}"
                yield source.person, item, kept_volume(folder / f"{item}.safetensors", make)

    def _folder(self, scratch: Path, side: str, split: Split) -> Path:
        """Where what is cut for a side stands, named by all that decides it."""
        if not self.kept:
            return scratch / side
        parts = [self.preprocess().to_json(), self.seed, self.n_kept, self.n_variants]
        whose = [self.folders, self.table, self.definition, split[side]]
        digest = hashlib.sha256(json.dumps([parts, whose]).encode()).hexdigest()[:16]
        return Path(self.kept) / f"{side}-{digest}"

    def _table(self, data: Path) -> tuple[TableScan, ...]:
        return table_scans(data, Path(self.table), definition=self.definition or None)


RECIPE = HySNetRecipe
N_SCALE = 64
"""Training volumes whose labels' mean and spread the network works in."""


@torch.no_grad()
def patch_scores(
    net: nn.Module, data: Image3, preprocess: Patches, *, most: int | None = None
) -> Tensor:
    """What the network says of every part of a volume that it looks at, (n,)."""
    device = next(net.parameters()).device
    parts = looked_at(data, preprocess, most=most).values.split(AT_ONCE)
    return torch.cat([net(part.to(device)).float()[:, 0].cpu() for part in parts])


def _simulated(scan: KeptScan, look: Look, rng: torch.Generator) -> LabelledVolume:
    return simulate(scan.load(), look, rng=rng)


def _loss(net: nn.Module, batch: Sequence[Tensor], *, spread: float) -> Tensor:
    """Mean over all parts of the absolute error in units of the labels' spread."""
    parts, labels = batch
    said = net(parts.flatten(0, 1).float()).float()[:, 0]
    return F.l1_loss(said, labels.repeat_interleave(parts.shape[1])) / spread


def _figures(net: nn.Module, *, known: PatchSet) -> dict[str, float]:
    """Rank correlation and mean absolute error on the means over a volume's parts."""
    device = next(net.parameters()).device
    said, truth = [], []
    for number in range(len(known)):
        parts, label = known.kept(number)
        said.append(float(net(parts.float().to(device)).float().mean()))
        truth.append(float(label))
    error = float(np.abs(np.array(said) - np.array(truth)).mean())
    return {"srocc": srocc(said, truth), "error": error}
