"""What every comparison of two images needs: checks at the door, chunks, means, roots."""

from collections.abc import Callable

import torch
from torch import Tensor

from isocenter.errors import UsageError

CHUNK = 1 << 18
"""Values of an image and as many of its reference that are scored at once."""


def check(
    name: str,
    image: Tensor,
    reference: Tensor,
    *,
    minimum_side: int = 1,
    spatial: tuple[int, ...] = (2, 3),
    data_range: float = 1.0,
) -> None:
    """Refuse pairs that a metric is not defined for.

    Raises:
        UsageError: Shapes differ, too few or too many axes, an axis is too short, or no range.
    """
    if image.shape != reference.shape:
        raise UsageError(
            f"image {tuple(image.shape)} and reference {tuple(reference.shape)} differ in shape"
        )
    sides = tuple(image.shape[2:])
    if len(sides) not in spatial:
        takes = " or ".join(str(number) for number in spatial)
        raise UsageError(
            f"{name} takes (N, C) and {takes} spatial axes; got shape {tuple(image.shape)}"
        )
    if min(sides) < minimum_side:
        raise UsageError(f"{name} needs {minimum_side} pixels along every axis; got {sides}")
    if not data_range > 0:
        raise UsageError(f"data_range must be a positive number; got {data_range}")


class RefusesMask(UsageError):
    """A mask was given to a metric whose value is no mean over places of the image."""


def by_chunks(
    formula: Callable[[Tensor, Tensor], Tensor], image: Tensor, reference: Tensor
) -> Tensor:
    """Score few images at a time, so that what is made on the way stays in the cache.

    Args:
        formula: Scores (n, C, *spatial) and the same of the reference: (n,).
        image: (N, C, *spatial).
        reference: Same shape.

    Returns:
        (N,).
    """
    size = max(1, CHUNK // max(1, image[:1].numel()))
    pairs = zip(image.split(size), reference.split(size), strict=True)
    return torch.cat([formula(*pair) for pair in pairs])


def refuse_mask(name: str, mask: Tensor | None) -> None:
    """For metrics whose value is no mean over places of the image.

    Raises:
        RefusesMask: There is a mask.
    """
    if mask is not None:
        raise RefusesMask(f"{name} takes no mask; crop both images to what counts")


def mean(values: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean of every image, (N, ...) to (N,); weighted where ``weight`` is given.

    Args:
        values: (N, C, *spatial).
        weight: Mask or weights >= 0, broadcastable to ``values``.

    Returns:
        (N,); NaN where the weights are all zero.
    """
    if weight is None:
        return values.flatten(1).mean(1)
    spread = weight.expand(values.shape).to(values.dtype).flatten(1)
    return (values.flatten(1) * spread).sum(1) / spread.sum(1)


def root(values: Tensor) -> Tensor:
    """Square root of values >= 0 whose gradient at 0 is 0 instead of infinite."""
    positive = values > 0
    return torch.where(positive, torch.where(positive, values, 1).sqrt(), 0)


def ratio(numerator: Tensor, denominator: Tensor, *, otherwise: float) -> Tensor:
    """Quotient where the denominator is not 0, with a finite gradient; elsewhere ``otherwise``."""
    defined = denominator != 0
    return torch.where(defined, numerator / torch.where(defined, denominator, 1), otherwise)
