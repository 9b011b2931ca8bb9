"""What ``enhancement_benchmark.py`` enhances: scans of held-out people, made thick."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from isocenter.artifacts._lesions import insert_lesions
from isocenter.artifacts._low_field_scan import coarse_affine, low_field_scan, noisy
from isocenter.artifacts._snr_prior import SNR_PRIORS
from isocenter.data.atomic import write_bytes
from isocenter.data.io import read
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume
from isocenter.datasets.collection import Source, sources
from isocenter.ops.brain import brain_mask
from isocenter.ops.regions import head_scale
from isocenter.ops.thick_slices import Acquisition, thick_slices
from isocenter.ops.tissue import TissueMaps, tissue_maps, why_untrustworthy
from isocenter.training.recipes.prior import RECIPE

NOISE = 0.02
"""Standard deviation over the head's brightness."""
PRIOR = "siqt-t1-0.36T"
BORDER = 4
"""Voxels around the brain that are kept."""
N_LESIONS = 28
"""That are inserted in each brain."""
N_DRAWS = 10
"""Of the noise, where repeatability is asked for."""
AXIS = 2


@dataclass(frozen=True, eq=False)
class Case:
    """Thick slices, and what they were made of."""

    scans: list[Volume]
    """One; as many as draws of the noise where repeatability is asked for."""
    truth: Tensor | None
    """Thin slices without noise; none where there is nothing to be right about."""
    brain: Tensor
    """On the thin slices."""
    spacing: tuple[float, float, float]
    own: Tensor | None = None
    """Thin slices with the contrast of the thick ones, where it is another."""
    tissue: TissueMaps | None = None
    lesions: Tensor | None = None
    control: Volume | None = None
    """The scan without inserted lesions, the noise being the same."""
    control_truth: Tensor | None = None
    facts: dict[str, object] = field(default_factory=dict)


class Subject:
    """One scan of one person, cut to the brain."""

    def __init__(self, source: Source, side: str, kept: Path, n_planes: int) -> None:
        self.source, self.side, self.kept, self.n_planes = source, side, kept, n_planes
        self.person, self.name, self.contrast = source.person, source.path.name, source.contrast

    @cached_property
    def _whole(self) -> tuple[Volume, Tensor, tuple[slice, slice, slice]]:
        scan = read(self.source.path)
        brain = brain_mask(scan.data, spacing=scan.spacing, contrast=self.contrast)
        return scan, brain, _around(brain)

    @cached_property
    def truth(self) -> Volume:
        """High field, of the contrast that its name says."""
        scan, _, box = self._whole
        data = scan.data[box][self._planes].clamp(min=0).contiguous()
        return Volume(data, scan.affine, self.contrast)

    @cached_property
    def brain(self) -> Tensor:
        """Its voxels."""
        _, brain, box = self._whole
        return brain[box][self._planes].contiguous()

    @cached_property
    def lesions(self) -> Tensor | None:
        """Real ones, where somebody drew them."""
        if not self._drawn.exists():
            return None
        return read(self._drawn).data[self._whole[2]][self._planes].contiguous() > 0.5

    @property
    def _drawn(self) -> Path:
        stem = self.name.rsplit("_", 1)[0]
        return self.source.path.with_name(f"{stem}_lesions.nii.gz")

    @cached_property
    def tissue(self) -> TissueMaps | None:
        """None where the maps are not to be trusted; kept in a file, since they take long."""
        file = self.kept / f"{self.name.removesuffix('.nii.gz')}.safetensors"
        scan, brain, box = self._whole
        if not file.exists():
            data = scan.data[box].clamp(min=0).contiguous()
            inside = brain[box].contiguous()
            maps = tissue_maps(data, inside, spacing=scan.spacing, contrast=self.contrast)
            trusted = why_untrustworthy(maps, data) is None
            file.parent.mkdir(parents=True, exist_ok=True)
            parts = maps._asdict() if trusted else {}
            write_bytes(file, save({name: part.half() for name, part in parts.items()}))
        parts = load_file(file)
        if not parts:
            return None
        cut = {name: part[self._planes].float() for name, part in parts.items()}
        return TissueMaps(**{name: part.contiguous() for name, part in cut.items()})

    @cached_property
    def _planes(self) -> slice:
        """Sagittal planes beside the middle, or those with most of the lesions; or all."""
        width = self._whole[2][0].stop - self._whole[2][0].start
        if not 0 < self.n_planes < width:
            return slice(None)
        middle = round(0.35 * width)
        if self._drawn.exists():
            drawn = read(self._drawn).data[self._whole[2]] > 0.5
            around = np.convolve(drawn.sum((1, 2)).numpy(), np.ones(self.n_planes), "same")
            middle = int(around.argmax())
        first = min(max(0, middle - self.n_planes // 2), width - self.n_planes)
        return slice(first, first + self.n_planes)


def subjects(
    data: Path, sides: list[str], kept: Path, *, n_planes: int, n_scans: int
) -> Iterator[Subject]:
    """Scans of the people of some sides; painted heads are left out."""
    split = RECIPE().split(data)
    for side in sides:
        people = set(split[side])
        found = [one for one in sources(data) if one.person in people and one.kind == "brain"]
        for source in found[:n_scans]:
            yield Subject(source, side, kept, n_planes)


def case(subject: Subject, condition: str, ratio: int, seed: int) -> Case | None:
    """The scan under a condition; None where it cannot be made."""
    rng = child(generator(seed), subject.person, subject.name, condition, ratio)
    return CONDITIONS[condition](subject, ratio, rng)


def _plain(subject: Subject, ratio: int, rng: torch.Generator, noise: float = NOISE) -> Case:
    """Through-plane only: thickness 3/4 of the ratio, white noise, no change of contrast."""
    truth = _cut(subject.truth.data, ratio)
    scan = _thick(subject, truth, ratio, noise, rng)
    tissue = None if subject.tissue is None else _cut_maps(subject.tissue, ratio)
    lesions = None if subject.lesions is None else _cut(subject.lesions, ratio)
    return _case(subject, ratio, [scan], truth, tissue=tissue, lesions=lesions)


def _lowfield(subject: Subject, ratio: int, rng: torch.Generator) -> Case | None:
    """The whole simulator, with the published prior of T1-weighted scans."""
    if subject.tissue is None or subject.contrast != "T1w":
        return None
    truth, tissue = _cut(subject.truth.data, ratio), _cut_maps(subject.tissue, ratio)
    prior = SNR_PRIORS[PRIOR]
    snr = prior.draw(rng)
    made = low_field_scan(
        Volume(truth, subject.truth.affine, subject.contrast),
        tissue,
        Acquisition(ratio),
        snr=snr,
        reference=prior.reference,
        axis=AXIS,
        rng=rng,
    )
    of_wm, of_gm = made.gains
    own = truth * (1 + (of_wm - 1) * tissue.wm + (of_gm - 1) * tissue.gm)
    return _case(subject, ratio, [made.scan], truth, own=own, facts={"snr": snr})


def _with_lesions(subject: Subject, ratio: int, rng: torch.Generator) -> Case:
    """Lesions inserted before the slices become thick, and the same without."""
    before = _cut(subject.truth.data, ratio)
    brain = _cut(subject.brain, ratio)
    truth, lesions = insert_lesions(
        before, brain, n=N_LESIONS, spacing=subject.truth.spacing, rng=child(rng, "lesions")
    )
    scan, control = (
        _thick(subject, one, ratio, NOISE, child(rng, "noise"), like=before)
        for one in (truth, before)
    )
    return _case(
        subject, ratio, [scan], truth, lesions=lesions, control=control, control_truth=before
    )


def _known_tissue(subject: Subject, ratio: int, rng: torch.Generator) -> Case | None:
    """As plain, where the tissues can be told."""
    return None if subject.tissue is None else _plain(subject, ratio, rng)


def _draws(subject: Subject, ratio: int, rng: torch.Generator) -> Case:
    """The same person with other noise, several times."""
    truth = _cut(subject.truth.data, ratio)
    scans = [_thick(subject, truth, ratio, NOISE, child(rng, n)) for n in range(N_DRAWS)]
    return _case(subject, ratio, scans, truth)


def _noisier(subject: Subject, ratio: int, rng: torch.Generator) -> Case:
    """A third of the signal over noise."""
    return _plain(subject, ratio, rng, noise=3 * NOISE)


def _inverted(subject: Subject, ratio: int, rng: torch.Generator) -> Case:
    """Bright where it was dark and dark where it was bright, as T2 is to T1, roughly."""
    truth, brain = _cut(subject.truth.data, ratio), _cut(subject.brain, ratio)
    level = float(np.percentile(truth[brain].numpy(), 99))
    other = (level - truth).clamp(min=0) * brain
    return _case(subject, ratio, [_thick(subject, other, ratio, NOISE, rng)], other)


def _shuffled(subject: Subject, ratio: int, rng: torch.Generator) -> Case:
    """Thick slices in another order."""
    scan = _thick(subject, _cut(subject.truth.data, ratio), ratio, NOISE, rng)
    order = torch.randperm(scan.shape[AXIS], generator=rng)
    return _case(subject, ratio, [Volume(scan.data[..., order], scan.affine)], None)


def _nothing(subject: Subject, ratio: int, rng: torch.Generator) -> Case:
    """Noise alone."""
    scan = _thick(subject, _cut(subject.truth.data, ratio), ratio, NOISE, rng)
    noise = torch.randn(scan.data.shape, generator=rng).abs()
    return _case(subject, ratio, [Volume(noise, scan.affine)], None)


CONDITIONS: dict[str, Callable[[Subject, int, torch.Generator], Case | None]] = {
    "plain": _plain,
    "lowfield": _lowfield,
    "lesions": _with_lesions,
    "volumes": _known_tissue,
    "repeat": _draws,
    "noisier": _noisier,
    "inverted": _inverted,
    "shuffled": _shuffled,
    "nothing": _nothing,
}


def _case(
    subject: Subject, ratio: int, scans: list[Volume], truth: Tensor | None, **more: object
) -> Case:
    brain = _cut(subject.brain, ratio)
    return Case(scans, truth, brain, subject.truth.spacing, **more)  # type: ignore[arg-type]


def _thick(
    subject: Subject,
    data: Tensor,
    ratio: int,
    noise: float,
    rng: torch.Generator,
    like: Tensor | None = None,
) -> Volume:
    acquisition = Acquisition(ratio)
    x, y, z = data.shape
    clean = thick_slices((x, y, z), AXIS, acquisition)(data)
    sigma = noise * head_scale(data if like is None else like)
    affine = coarse_affine(subject.truth.affine, AXIS, acquisition)
    scan = noisy(clean, sigma, kind="gaussian", axis=AXIS, rng=rng)
    return Volume(scan, affine, subject.contrast)


def _cut(data: Tensor, ratio: int) -> Tensor:
    """Whole blocks of thin slices."""
    return data[..., : data.shape[AXIS] // ratio * ratio].contiguous()


def _cut_maps(tissue: TissueMaps, ratio: int) -> TissueMaps:
    return TissueMaps(*(_cut(part, ratio) for part in tissue))


def _around(brain: Tensor) -> tuple[slice, slice, slice]:
    sides = []
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        reached = brain.any(others[1]).any(others[0]).nonzero()
        low, high = int(reached[0]) - BORDER, int(reached[-1]) + BORDER + 1
        sides.append(slice(max(0, low), min(brain.shape[axis], high)))
    return sides[0], sides[1], sides[2]
