"""Metrics of a scan, with a reference or without: where, in which range, and over which slices."""

import inspect
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Literal

import torch
from torch import Tensor

from isocenter import registry
from isocenter.assessors._views import PLANES
from isocenter.data.grids import mask_of, on_grid
from isocenter.data.io import read
from isocenter.data.scores import Plane, Score
from isocenter.data.shapes import Mask3
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume, NeedsReference, UnknownName, UsageError
from isocenter.metrics import by_slices
from isocenter.metrics._pairs import RefusesMask
from isocenter.ops.regions import head_mask

__all__ = ["MetricScore", "Metrics", "metrics", "metrics_that_compare"]

CHUNK = 16
"""Slices that a metric sees at once: some keep a hundred maps of each."""
Where = Literal["head", "everywhere"]


@dataclass(frozen=True)
class MetricScore:
    """What a metric says, and what it looked at."""

    score: Score
    how: str
    """``"volume"``, or ``"mean of 120 axial slices"``; with ``", cropped"`` where the metric
    takes no mask and saw the box around it."""


@dataclass(frozen=True)
class Metrics:
    """Metrics of one scan, and what all of them had in common."""

    found: tuple[MetricScore, ...]
    where: str
    """``"inside the reference's head"``, ``"inside the mask"``, ``"everywhere"``."""
    n_voxels: int
    """Voxels that counted."""
    data_range: float
    """Largest possible difference of two values, in the scan's units."""

    @property
    def scores(self) -> tuple[Score, ...]:
        """The scores alone."""
        return tuple(one.score for one in self.found)


@dataclass(frozen=True, eq=False)
class _Look:
    """What every metric is given."""

    image: Tensor
    """(1, 1, x, y, z)."""
    reference: Tensor | None
    mask: Tensor | None
    data_range: float
    axis: int
    sliced: bool
    """Whether metrics that take volumes get slices, too."""

    @property
    def same(self) -> bool:
        """Whether image and reference are equal where it counts."""
        if self.reference is None:
            return False
        if self.mask is None:
            return torch.equal(self.image, self.reference)
        return torch.equal(self.image[self.mask], self.reference[self.mask])


def metrics(
    scan: Volume | Path | str,
    names: Iterable[str],
    *,
    reference: Volume | Path | str | None = None,
    data_range: float | None = None,
    mask: Volume | Path | str | Mask3 | Where = "head",
    plane: Plane = "axial",
    sliced: bool = False,
) -> Metrics:
    """Measure a scan by metrics of the registry.

    A metric that takes volumes gets the volume; any other gets every slice, and the mean over
    the slices that hold something counts.  A metric that takes no mask gets both images cropped
    to the mask's box.  A scan of one slice is looked at along its one axis.

    Args:
        scan: A scan, or the path of one.
        names: Of ``isocenter list metrics``.
        reference: The same scan undamaged, on the same grid.
        data_range: Largest possible difference of two values; the largest value of the
            reference (of the scan, without one) inside the mask when not given.
        mask: Where to look: ``"head"`` of the reference (of the scan, without one),
            ``"everywhere"``, or a volume on the scan's grid that is above zero there.
        plane: Which slices.
        sliced: Give slices to metrics that take volumes, too.

    Raises:
        BadVolume: A file cannot be used, or lies on another grid.
        NeedsReference: A metric compares and there is no reference.
        UnknownName: No such metric or plane.
        UsageError: The range is not a positive number, or a metric knows no reference.
    """
    if plane not in PLANES:
        raise UnknownName("plane", plane, PLANES)
    volume = scan if isinstance(scan, Volume) else read(scan)
    truth = None if reference is None else on_grid(reference, volume, "the reference")
    modules = {name: registry.metrics.get(name) for name in names}
    _check_kinds(modules, truth)
    shown = volume if truth is None else truth
    inside, where = _inside(mask, volume, shown, given=truth is not None)
    limit = _range(data_range, shown.data if inside is None else shown.data[inside])
    axis, planar = _axis(volume, plane)
    look = _Look(
        volume.data[None, None],
        None if truth is None else truth.data[None, None],
        None if inside is None else inside[None, None],
        limit,
        axis,
        sliced or planar,
    )
    found = tuple(_measured(name, module, look) for name, module in modules.items())
    n_voxels = volume.data.numel() if inside is None else int(inside.sum())
    return Metrics(found, where, n_voxels, limit)


def metrics_that_compare() -> list[str]:
    """Names of all metrics that need a reference."""
    names = registry.metrics.names()
    return [name for name in names if _compares(registry.metrics.get(name), name)]


def _compares(module: ModuleType, name: str) -> bool:
    """Whether a metric needs a reference."""
    return "reference" in inspect.signature(getattr(module, name)).parameters


def _check_kinds(modules: dict[str, ModuleType], truth: Volume | None) -> None:
    for name, module in modules.items():
        if _compares(module, name) and truth is None:
            raise NeedsReference(f"{name} compares two scans; give --reference")
        if truth is not None and not _compares(module, name):
            raise UsageError(f"{name} knows no reference; leave it, or --reference, out")


def _inside(
    mask: Volume | Path | str | Mask3, volume: Volume, shown: Volume, *, given: bool
) -> tuple[Mask3 | None, str]:
    """The mask, ``None`` for everything, and what it is called."""
    if isinstance(mask, str) and mask == "everywhere":
        return None, "everywhere"
    if isinstance(mask, str) and mask == "head":
        head = head_mask(shown.data)
        if not bool(head.any()):
            raise BadVolume(f"no head was found in the {'reference' if given else 'scan'}")
        return head, f"inside the {'reference' if given else 'scan'}'s head"
    if isinstance(mask, Tensor):
        return mask, "inside the mask"
    return mask_of(mask, volume, "the mask"), "inside the mask"


def _range(given: float | None, values: Tensor) -> float:
    if given is not None and not 0 < given < math.inf:
        raise UsageError(f"data_range is {given:g}: give a positive number")
    limit = float(values.max()) if given is None else given
    if limit <= 0:
        raise BadVolume(f"the largest value is {limit:g}: give the range as a positive number")
    return limit


def _axis(volume: Volume, plane: Plane) -> tuple[int, bool]:
    """The axis that slices are stacked along, and whether there is only one slice."""
    single = [axis for axis, side in enumerate(volume.shape) if side == 1]
    return (single[0], True) if single else (PLANES.index(plane), False)


def _measured(name: str, module: ModuleType, look: _Look) -> MetricScore:
    """The value, or why there is none."""
    low, high = module.RANGE
    missing = Score(
        name, None, module.UNIT, module.BETTER, low, high, compared=look.reference is not None
    )
    if getattr(module, "NEEDS_WEIGHTS", False):
        why = "needs a file of weights, and none ships with the package"
        return MetricScore(replace(missing, why_missing=why), "")
    try:
        value, how = _value(name, module, look)
    except UsageError as error:  # too small, as a rule, in the metric's own words
        return MetricScore(replace(missing, why_missing=str(error)), "")
    if not math.isfinite(value):
        return MetricScore(replace(missing, why_missing=_why_not_finite(look, value)), how)
    return MetricScore(replace(missing, value=value), how)


def _why_not_finite(look: _Look, value: float) -> str:
    if look.same:
        return "identical to the reference"
    if math.isnan(value):
        return "not defined on these images: a slice or all of the mask is constant"
    return "its formula has no finite value on these images"


def _value(name: str, module: ModuleType, look: _Look) -> tuple[float, str]:
    """What the metric says, and of what."""
    function: Callable[..., Tensor] = getattr(module, name)
    try:
        return _apply(function, module, look)
    except RefusesMask:
        value, how = _apply(function, module, _cropped(look))
        return value, f"{how}, cropped"


def _cropped(look: _Look) -> _Look:
    """Both images in the box around the mask."""
    if look.mask is None:
        raise BadVolume("nothing to crop to")
    places = look.mask[0, 0].nonzero(as_tuple=True)
    x, y, z = (slice(int(one.min()), int(one.max()) + 1) for one in places)
    reference = None if look.reference is None else look.reference[..., x, y, z]
    return replace(look, image=look.image[..., x, y, z], reference=reference, mask=None)


def _apply(function: Callable[..., Tensor], module: ModuleType, look: _Look) -> tuple[float, str]:
    whole = 3 in module.SPATIAL and not (look.sliced and 2 in module.SPATIAL)
    _check_size(module, look, whole=whole)
    given = {"image": look.image, "reference": look.reference, "mask": look.mask}
    tensors = {name: tensor for name, tensor in given.items() if tensor is not None}
    ranged = "data_range" in inspect.signature(function).parameters
    arguments = {"data_range": look.data_range} if ranged else {}
    if whole:
        return float(function(**tensors, **arguments)), "volume"
    values = _sliced(function, tensors, look.axis, arguments)
    return _pooled(values, PLANES[look.axis], strict=look.reference is not None)


def _check_size(module: ModuleType, look: _Look, *, whole: bool) -> None:
    sides = look.image.shape[2:]
    seen = sides if whole else [side for axis, side in enumerate(sides) if axis != look.axis]
    if min(seen) < module.MINIMUM_SIDE:
        raise UsageError(f"fewer than {module.MINIMUM_SIDE} voxels along an axis")


def _sliced(
    function: Callable[..., Tensor],
    tensors: dict[str, Tensor],
    axis: int,
    arguments: dict[str, float],
) -> Tensor:
    """Values of the slices that count."""
    parts = [
        by_slices(function, axis=axis, **_part(tensors, axis, start), **arguments)  # type: ignore[arg-type]
        for start in range(0, tensors["image"].shape[2 + axis], CHUNK)
    ]
    kept = torch.cat([part.kept[0] for part in parts])
    return torch.cat([part.slices[0] for part in parts])[kept]


def _pooled(values: Tensor, plane: str, *, strict: bool) -> tuple[float, str]:
    """Mean of the slices, and which they were.

    Against a reference (``strict``) a slice without a value leaves the mean without one; a
    metric of one image has none on the small slices at the ends of a head, which are left out.
    """
    known = values if strict else values[~values.isnan()]
    if len(values) == 1:
        return float(known.mean()), "one slice"
    told = f"mean of {len(known)} {plane} slices"
    n_left = len(values) - len(known)
    return float(known.mean()), f"{told}, {n_left} too small" if n_left else told


def _part(tensors: dict[str, Tensor], axis: int, start: int) -> dict[str, Tensor]:
    length = tensors["image"].shape[2 + axis]
    size = min(CHUNK, length - start)
    return {name: tensor.narrow(2 + axis, start, size) for name, tensor in tensors.items()}
