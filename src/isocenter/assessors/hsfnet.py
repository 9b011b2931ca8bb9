"""The assessor of the improved HSFNet: artifacts, their levels, and the quality of a scan."""

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import torch
from torch import Tensor

from isocenter.assessors._evidence import FITTED, presence, quality
from isocenter.assessors._outputs import OUTPUTS, TYPES, quality_with_interval, split_outputs
from isocenter.assessors._shading import shading_trees, with_trees
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.preprocess import Slabs, preprocess_from_json
from isocenter.data.scores import Finding, Plane, SliceRange, Strip
from isocenter.data.volume import Volume
from isocenter.errors import BadCheckpoint
from isocenter.nets.hsfnet import Config, SlabHSFNet, build
from isocenter.ops.slabs import (
    N_FACTS,
    SHARE,
    Head,
    SlabBatch,
    compressed,
    find_head,
    simple_numbers,
    spectra,
    take_slabs,
    usable_axes,
)
from isocenter.ops.trees import Trees

__all__ = [
    "Assessor",
    "Judgement",
    "Raw",
    "foreign_odds",
    "load",
    "mahalanobis",
    "severity",
    "shipped",
]

PLANES: tuple[Plane, Plane, Plane] = ("sagittal", "coronal", "axial")
N_SLABS = {1: (24,), 2: (12, 12), 3: (7, 7, 10)}
"""Slabs along each usable axis, by the number of usable axes; axial gets the most."""
AT_ONCE = 8
"""Slabs of one forward pass: bounds the memory."""
N_WORST = 3
"""Slice ranges named per finding, and slices shown."""
DOMAIN = ("domain.mean", "domain.precision", "domain.odds")
"""Fitted arrays of the domain check."""
ODDS_UNIT = 5.0
"""Log odds that count as one unit of distance."""
ENOUGH = 0.02
"""Share of a slab's window in the head below which nothing is said of that slab alone."""
VISIBLE = 0.125
"""Severity from which a slice counts as showing something: half of level 1."""


@dataclass(frozen=True)
class Raw:
    """The network's numbers before calibration."""

    scan: Tensor
    """(n_outputs,)."""
    slabs: Tensor
    """(S, n_outputs)."""
    features: Tensor
    """(128,)."""
    simple: Tensor
    """:func:`isocenter.ops.slabs.simple_numbers`."""
    batch: SlabBatch
    head: Head

    @property
    def where(self) -> tuple[tuple[int, int], ...]:
        """(axis, index) of each slab."""
        return self.batch.where


@dataclass(frozen=True)
class Judgement:
    """What the assessor says, calibrated."""

    quality: float
    """0 to 100."""
    interval: tuple[float, float]
    """90 % prediction interval of the quality."""
    findings: tuple[Finding, ...]
    """Most probable first."""
    strips: tuple[Strip, ...]
    distance: float
    """Distance of the scan from the training data, 1 at the limit."""
    worst: tuple[tuple[int, int], ...]
    """(axis, index) of slices that show something, worst first."""


class Assessor:
    """A trained network with its calibration; stateless between scans."""

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        preprocess = preprocess_from_json(dict(checkpoint.preprocess))
        if not isinstance(preprocess, Slabs) or set(checkpoint.outputs) != set(OUTPUTS):
            raise BadCheckpoint(
                f"these weights are for another assessor ({preprocess.kind}, "
                f"{list(checkpoint.outputs)}); train with the recipe 'assessor'"
            )
        net = build(checkpoint.configured(Config))
        if not isinstance(net, SlabHSFNet):
            raise BadCheckpoint("these weights are the published network; it has no quality output")
        if net.config.n_facts != N_FACTS:
            raise BadCheckpoint(
                f"these weights take {net.config.n_facts} facts about a slab, this version makes "
                f"{N_FACTS}: use the version that trained them, or train again"
            )
        checkpoint.load_into(net)
        self.net = net.eval().to(device)
        self.preprocess, self.checkpoint, self.device = preprocess, checkpoint, device

    @cached_property
    def trees(self) -> Trees:
        """What tells shading; only a finished checkpoint has them, and a look needs none."""
        return shading_trees(self.checkpoint)

    @torch.inference_mode()
    def look(self, scan: Volume) -> Raw:
        """Run the network on slabs spread over the head."""
        head = find_head(scan.data)
        where = places(scan, head, self.preprocess)
        batch = take_slabs(scan.data, scan.spacing, head, where, self.preprocess)
        features = []
        for slabs, facts in zip(
            batch.slabs.to(self.device).split(AT_ONCE),
            batch.facts.to(self.device).split(AT_ONCE),
            strict=True,
        ):
            waves = spectra(slabs[None], self.preprocess)
            features.append(self.net.look(compressed(slabs[None]), waves, facts[None])[0])
        result = self.net.judge(torch.cat(features)[None])
        return Raw(
            result.scan[0].cpu(),
            result.slabs[0].cpu(),
            result.features[0].cpu(),
            simple_numbers(batch).cpu(),
            batch,
            head,
        )

    def judge(self, scan: Volume) -> Judgement:
        """Look at a scan and say what is seen."""
        return self.read(self.look(scan))

    def read(self, raw: Raw) -> Judgement:
        """Calibrated judgement from the network's numbers."""
        fitted = {name: self.checkpoint.fitted(name) for name in FITTED}
        outputs = with_trees(raw.scan, torch.tensor(raw.head.shading), self.trees)
        levels = split_outputs(outputs).levels
        slab_severity = severity(split_outputs(raw.slabs).levels, presence(raw.slabs, fitted))
        slab_severity = slab_severity * (raw.batch.facts[:, SHARE, None] > ENOUGH)
        fit = self.checkpoint.calibration["quality"]
        value, interval = quality_with_interval(float(quality(outputs, fitted)), fit)
        overall = slab_severity.amax(-1)
        return Judgement(
            quality=value,
            interval=interval,
            findings=_findings(levels, presence(outputs, fitted), slab_severity, raw),
            strips=_strips(raw, overall),
            distance=self.distance(raw),
            worst=tuple(raw.where[i] for i in _worst(overall)),
        )

    def distance(self, raw: Raw) -> float:
        """How far the scan is from those that the network knows; above 1 it is foreign.

        The larger of two: the Mahalanobis distance of the features from those of known scans
        (Lee et al., arXiv:1807.03888, one Gaussian for all classes), and the log odds of
        showing no head, each in units of what hardly any known scan reaches.
        """
        limits = self.checkpoint.calibration["domain"]
        mean, precision, odds = map(self.checkpoint.fitted, DOMAIN)
        far = float(mahalanobis(raw.features[None], mean, precision))
        foreign = float(foreign_odds(raw.features[None], raw.simple[None], odds))
        beyond = 1 + (foreign - float(limits["odds"])) / ODDS_UNIT
        return max(far / float(limits["mahalanobis"]), beyond)


def mahalanobis(features: Tensor, mean: Tensor, precision: Tensor) -> Tensor:
    """Distance per dimension of every row of ``features`` (rows, k)."""
    centred = features - mean
    squared = ((centred @ precision) * centred).sum(-1).clamp_min(0)
    return (squared / features.shape[1]).sqrt()


def foreign_odds(features: Tensor, simple: Tensor, coefficients: Tensor) -> Tensor:
    """Log odds, row by row, that a scan shows something else than a head."""
    rows = torch.cat([features, simple, torch.ones(len(features), 1)], 1)
    return rows @ coefficients


def load(path: Path | str, device: str) -> Assessor:
    """The assessor of a checkpoint file.

    Raises:
        BadCheckpoint: Missing, damaged, or of another kind.
    """
    return Assessor(Checkpoint.load(path), device)


@cache
def shipped(device: str) -> Assessor:
    """The assessor that comes with the package."""
    return load(Path(__file__).parents[1] / "weights" / "hsfnet.safetensors", device)


def places(scan: Volume, head: Head, preprocess: Slabs) -> tuple[tuple[int, int], ...]:
    """Evenly spread slabs along every usable axis, without repetition."""
    axes = usable_axes(scan.spacing, scan.shape, preprocess)
    places: list[tuple[int, int]] = []
    for axis, count in zip(axes, N_SLABS[len(axes)], strict=True):
        extent = head.last[axis] - head.first[axis] + 1
        first = head.first[axis] + int(preprocess.margin * extent)
        last = max(first, head.last[axis] - int(preprocess.margin * extent))
        spread = torch.linspace(first, last, count).round().int().tolist()
        places += [(axis, index) for index in sorted(set(spread))]
    return tuple(places)


def _level_given_present(levels: Tensor) -> Tensor:
    """Probability of levels 1 to 4 given that the artifact is there, (..., 6, 4)."""
    return levels[..., 1:].softmax(-1)


def severity(levels: Tensor, probability: Tensor) -> Tensor:
    """Expected level over 4, (..., 6), from level logits and the probability of each artifact."""
    share = torch.arange(1, 5) / 4
    return probability * (_level_given_present(levels) * share).sum(-1)


def _findings(
    levels: Tensor, probability: Tensor, slab_severity: Tensor, raw: Raw
) -> tuple[Finding, ...]:
    whole = severity(levels, probability).tolist()
    level = (_level_given_present(levels).argmax(-1) + 1).tolist()
    found = [
        Finding(name, float(probability[i]), level[i], whole[i], _ranges(raw, slab_severity[:, i]))
        for i, name in enumerate(TYPES)
    ]
    return tuple(sorted(found, key=lambda finding: -finding.probability))


def _ranges(raw: Raw, severity: Tensor) -> tuple[SliceRange, ...]:
    """The worst slices of one artifact; each slab stands for the slices up to its neighbours."""
    return tuple(_around(raw, place) for place in _worst(severity))


def _worst(severity: Tensor) -> list[int]:
    """The slabs of highest severity, worst first, as far as they show anything."""
    order = severity.argsort(descending=True)[:N_WORST].tolist()
    return [place for place in order if severity[place] >= VISIBLE]


def _around(raw: Raw, place: int) -> SliceRange:
    axis, index = raw.where[place]
    same = sorted(i for a, i in raw.where if a == axis)
    at = same.index(index)
    before = (same[at - 1] + index) // 2 + 1 if at > 0 else raw.head.first[axis]
    after = (index + same[at + 1]) // 2 if at + 1 < len(same) else raw.head.last[axis]
    return SliceRange(PLANES[axis], before, after)


def _strips(raw: Raw, severity: Tensor) -> tuple[Strip, ...]:
    """Severity of every slice inside the head: that of the nearest slab that was looked at."""
    strips = []
    for axis in sorted({axis for axis, _ in raw.where}):
        known = {i: float(severity[n]) for n, (a, i) in enumerate(raw.where) if a == axis}
        length = raw.head.mask.shape[axis]
        values: list[float | None] = [None] * length
        for index in range(raw.head.first[axis], raw.head.last[axis] + 1):
            values[index] = known[min(known, key=lambda i: abs(i - index))]
        strips.append(Strip(PLANES[axis], tuple(values)))
    return tuple(strips)
