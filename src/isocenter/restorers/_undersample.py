"""``undersample``: a part of what a scanner measured, as if it had been faster."""

from dataclasses import replace
from typing import Any

import torch

from isocenter.data.kspace import KSpace, Mask
from isocenter.data.random import generator
from isocenter.data.step import Step
from isocenter.errors import UsageError
from isocenter.ops.sampling import sampling_mask

__all__ = ["fully_sampled", "undersample"]


def undersample(
    kspace: KSpace,
    mask: str | Mask = "uniform",
    *,
    acceleration: float = 4.0,
    acs: int = 24,
    rng: torch.Generator,
) -> KSpace:
    """A part of what was measured.

    Columns that were never acquired, such as those of a partial echo or of fastMRI's padding,
    stay so and do not count for the acceleration.

    Args:
        kspace: Fully sampled, but for whole columns at its sides.
        mask: One of :data:`isocenter.ops.sampling.MASK_KINDS`, or the mask itself: then
            ``kspace`` may be undersampled already, and the places of both are kept.
        acceleration: Acquired places over measured ones, at least 1.
        acs: Fully measured columns around the centre.
        rng: Source of every draw.

    Returns:
        The last step of its history says ``true_acceleration``, of what was there before.

    Raises:
        UnknownName: No such kind of mask.
        UsageError: ``kspace`` was undersampled already, or sizes or numbers do not fit.
        BadKSpace: The mask leaves nothing.
    """
    facts: dict[str, Any] = {"mask": "given"}
    if isinstance(mask, str):
        facts = {"mask": mask, "acceleration": acceleration, "acs": acs}
        facts["acquired"] = list(_acquired_columns(kspace.mask))
        facts["stream"] = int(torch.randint(1 << 62, (1,), generator=rng))
        mask = _drawn(kspace, facts)
    before = kspace.mask.places
    if before.shape[1:] != mask.places.shape[1:]:
        given, size = (" x ".join(map(str, p.shape[1:])) for p in (mask.places, before))
        raise UsageError(f"the mask is {given} and k-space {size}: give one of that size")
    kept = Mask(before & mask.places)
    facts["true_acceleration"] = int(before.expand_as(kept.places).sum()) / int(kept.places.sum())
    step = Step("undersample", facts, seed=rng.initial_seed())
    return replace(kspace.after(kspace.data * kept.places[:, None], step), mask=kept)


def fully_sampled(mask: Mask) -> bool:
    """Whether all was measured, but perhaps for whole columns at the sides."""
    try:
        _acquired_columns(mask)
    except UsageError:
        return False
    return True


def _drawn(kspace: KSpace, facts: dict[str, Any]) -> Mask:
    first, stop = facts["acquired"]
    places = sampling_mask(
        facts["mask"],
        kspace.grid,
        acceleration=facts["acceleration"],
        acs=facts["acs"],
        rng=generator(facts["stream"]),
        acquired=(first, stop),
    )
    return Mask(places[None].to(kspace.data.device))


def _acquired_columns(mask: Mask) -> tuple[int, int]:
    """First and one after the last of the columns, all of which were measured everywhere."""
    anywhere = mask.places.any(0)
    columns = anywhere.any(0).nonzero().flatten()
    first, stop = int(columns[0]), int(columns[-1]) + 1
    if not bool(mask.places[:, :, first:stop].all()):
        raise UsageError(
            f"k-space is undersampled already (R={mask.true_acceleration:.2f}): give a fully "
            "sampled file, or the mask itself"
        )
    return first, stop
