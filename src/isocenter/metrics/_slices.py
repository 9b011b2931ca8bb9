"""2-D metrics on volumes, slice by slice, and nothing hidden about it."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from isocenter import registry
from isocenter.errors import NeedsReference, UnknownName, UsageError

__all__ = ["POOLINGS", "SliceScores", "by_slices"]


@dataclass(frozen=True, eq=False)
class SliceScores:
    """What a 2-D metric says of volumes."""

    values: Float[Tensor, " n"]
    """Pooled over the slices that count; NaN where none does, or where one of them has no value."""
    slices: Float[Tensor, "n s"]
    """Of every slice; NaN where it was dropped."""
    kept: Bool[Tensor, "n s"]
    """False where there is nothing to score: a constant reference, or an empty mask."""

    @property
    def n_dropped(self) -> Tensor:
        """Slices that do not count, (n,)."""
        return (~self.kept).sum(1)


def by_slices(
    metric: str | Callable[..., Tensor],
    image: Tensor,
    reference: Tensor | None = None,
    *,
    axis: int,
    pooling: str = "mean",
    mask: Tensor | None = None,
    **arguments: object,
) -> SliceScores:
    """Score every slice of volumes by a 2-D metric, and pool.

    A slice whose reference has one value alone in every channel (or whose image has, for metrics
    without a reference), or where the mask is empty, is dropped and counted.

    Args:
        metric: Name in the registry, or a metric function.
        image: (N, C, X, Y, Z), any units.
        reference: Same shape and units; None for metrics without a reference.
        axis: Which of the three spatial axes the slices are stacked along: 0, 1 or 2.
        pooling: ``"mean"``, ``"median"``, ``"min"`` or ``"max"`` over the slices of a volume.
        mask: Broadcastable to the image; its slices go to the metric, which may refuse them.
        arguments: For the metric, such as ``data_range``, which holds for the whole volume.

    Raises:
        UsageError: Not volumes, other shapes, no such axis, or what the metric refuses.
        NeedsReference: The metric compares, and there is no reference.
        UnknownName: No such metric or pooling.
    """
    function = _function(metric) if isinstance(metric, str) else metric
    if pooling not in POOLINGS:
        raise UnknownName("pooling of slices", pooling, POOLINGS)
    volumes = _volumes(function, image, reference)
    if axis not in (0, 1, 2):
        raise UsageError(f"axis is 0, 1 or 2, counted among x, y and z; got {axis}")
    stacks = {name: _stack(volume, axis) for name, volume in volumes.items()}
    seen = next(reversed(stacks.values()))
    kept = (seen.amax((2, 3)) > seen.amin((2, 3))).any(1)
    if mask is not None:
        stacks["mask"] = _stack(mask.expand(image.shape), axis)
        kept = kept & (stacks["mask"] != 0).flatten(1).any(1)
    slices = image.new_full(kept.shape, float("nan"))
    if bool(kept.any()):
        slices = slices.masked_scatter(kept, function(**_only(stacks, kept), **arguments))
    shape = (len(image), image.shape[2 + axis])
    slices, kept = slices.reshape(shape), kept.reshape(shape)
    return SliceScores(_pool(slices, kept, pooling), slices, kept)


def _function(name: str) -> Callable[..., Tensor]:
    function: Callable[..., Tensor] = getattr(registry.metrics.get(name), name)
    return function


def _volumes(
    function: Callable[..., Tensor], image: Tensor, reference: Tensor | None
) -> dict[str, Tensor]:
    """What the metric compares, by the names of its arguments."""
    name = getattr(function, "__name__", "the metric")
    compares = "reference" in inspect.signature(function).parameters
    if compares and reference is None:
        raise NeedsReference(f"{name} compares two volumes; give the reference")
    if reference is not None and not compares:
        raise UsageError(f"{name} knows no reference; leave it out")
    if image.ndim != 5:
        raise UsageError(f"by_slices takes volumes (N, C, x, y, z); got {tuple(image.shape)}")
    if reference is None:
        return {"image": image}
    if reference.shape != image.shape:
        raise UsageError(
            f"image {tuple(image.shape)} and reference {tuple(reference.shape)} differ in shape"
        )
    return {"image": image, "reference": reference}


def _stack(volumes: Tensor, axis: int) -> Tensor:
    """All slices of all volumes, (n * s, c, a, b)."""
    return volumes.movedim(2 + axis, 1).flatten(0, 1)


def _only(stacks: Mapping[str, Tensor], kept: Tensor) -> dict[str, Tensor]:
    return {name: stack[kept] for name, stack in stacks.items()}


def _pool(slices: Tensor, kept: Tensor, pooling: str) -> Tensor:
    """Of the slices that count; a value that is not defined makes the whole undefined."""
    known = kept.any(1) & ~(slices.isnan() & kept).any(1)
    pooled = POOLINGS[pooling](slices, kept)
    return torch.where(known, pooled, float("nan"))


def _mean(slices: Tensor, kept: Tensor) -> Tensor:
    return torch.where(kept, slices, 0).sum(1) / kept.sum(1)


def _median(slices: Tensor, kept: Tensor) -> Tensor:
    """Mean of the two in the middle where their number is even."""
    ranked = torch.where(kept, slices, float("inf")).sort(1).values
    number = kept.sum(1, keepdim=True).clamp_min(1)
    middle = torch.cat([(number - 1) // 2, number // 2], dim=1)
    low, high = ranked.gather(1, middle).unbind(1)
    return torch.where(low == high, low, (low + high) / 2)


def _least(slices: Tensor, kept: Tensor) -> Tensor:
    return torch.where(kept, slices, float("inf")).amin(1)


def _greatest(slices: Tensor, kept: Tensor) -> Tensor:
    return torch.where(kept, slices, float("-inf")).amax(1)


POOLINGS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": _mean,
    "median": _median,
    "min": _least,
    "max": _greatest,
}
