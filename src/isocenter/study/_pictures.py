"""A rated image and its reference as a method wants them, and the range of their values."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image
from torch import Tensor

from isocenter.data import io
from isocenter.datasets.rad_iqmri import FLAT_ENDINGS, read_grey
from isocenter.errors import BadVolume, UsageError

__all__ = ["OF_REFERENCE", "OF_TYPE", "Pair", "checked_range", "read_pair"]

OF_TYPE, OF_REFERENCE = "type", "reference"
WHITE = {"1": 1.0, "L": 255.0, "LA": 255.0, "P": 255.0, "RGB": 255.0, "RGBA": 255.0}
"""Largest value that Pillow's modes of 8 bits and fewer hold."""
WHITE_16 = 65535.0


@dataclass(frozen=True, eq=False)
class Pair:
    """A distorted image and its reference, in the values of the files."""

    image: Tensor
    reference: Tensor
    data_range: float
    slice_axis: int
    """Of volumes: the axis of the thickest voxels; of axes equally thick the last one."""


def checked_range(policy: str | float) -> str | float:
    """A policy for the range of values, numbers as numbers.

    Raises:
        UsageError: Neither a word that is known nor a positive number.
    """
    if policy in (OF_TYPE, OF_REFERENCE):
        return policy
    try:
        number = float(policy)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise UsageError(
            f"the data range is {policy!r}: give {OF_TYPE!r}, {OF_REFERENCE!r} or a number above 0"
        )
    return number


def read_pair(image: Path, reference: Path, policy: str | float) -> Pair:
    """Read both, and see that they fit together.

    Args:
        image: The distorted one.
        reference: The undistorted one.
        policy: ``"type"`` is the largest value that the type of the file holds for pictures of
            integers, else the reference's largest value; ``"reference"`` is always the latter; a
            number is itself.

    Raises:
        BadVolume: One cannot be read, or they do not fit together.
        NothingFound: One is not there.
    """
    seen, true = read_grey(image), _reference(reference)
    if seen.shape != true.shape:
        raise BadVolume(
            f"{_size(seen)} pixels, but its reference {reference.name} has {_size(true)}: "
            "give both in one size"
        )
    if type_range(image) != type_range(reference):
        raise BadVolume(
            f"not of the same type as its reference {reference.name}: save both with as many bits"
        )
    if not bool(seen.isfinite().all() & true.isfinite().all()):
        raise BadVolume("some values are infinite or missing, here or in its reference")
    largest = float(true.max())
    scale = (type_range(reference) if policy == OF_TYPE else None) or largest
    scale = scale if isinstance(policy, str) else policy
    if not scale > 0:
        raise BadVolume(f"its reference {reference.name} holds no value above 0")
    return Pair(seen, true, scale, _slice_axis(reference) if true.ndim == 3 else 0)


def type_range(path: Path) -> float | None:
    """Largest value that a picture's type holds; None for volumes and floating-point pictures."""
    if not path.name.lower().endswith(FLAT_ENDINGS):
        return None
    with Image.open(path) as picture:
        is_16 = picture.mode.startswith("I;16") or (picture.mode, picture.format) == ("I", "PNG")
        return WHITE_16 if is_16 else WHITE.get(picture.mode)


@lru_cache(maxsize=2)
def _reference(path: Path) -> Tensor:
    return read_grey(path)


@lru_cache(maxsize=2)
def _slice_axis(path: Path) -> int:
    spacing = io.read(path).spacing
    return max(range(3), key=lambda axis: (round(spacing[axis], 3), axis))


def _size(values: Tensor) -> str:
    return " x ".join(map(str, values.shape))
