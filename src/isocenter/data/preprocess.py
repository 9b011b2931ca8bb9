"""``Preprocess``: how a scan becomes a network's input; it travels inside the checkpoint.

Only the numbers live here.  ``ops/slabs.py`` and ``ops/patches.py`` apply them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal, Self

from isocenter.data.plain import with_tuples
from isocenter.data.step import JSON
from isocenter.errors import BadCheckpoint

__all__ = [
    "ComplexImage",
    "Patches",
    "Preprocess",
    "PublishedStack",
    "Slabs",
    "ThickScan",
    "preprocess_from_json",
]


@dataclass(frozen=True)
class Preprocess:
    """Abstract: the numbers of one way to prepare a scan."""

    kind: ClassVar[str]

    def to_json(self) -> dict[str, JSON]:
        """Plain values, with ``kind`` to find the class again."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Inverse of :meth:`to_json`; lists become tuples."""
        known = {field.name for field in fields(cls)}
        if set(values) - {"kind"} != known:
            raise BadCheckpoint(
                f"preprocess {cls.kind!r} needs {sorted(known)}; the checkpoint has "
                f"{sorted(set(values) - {'kind'})}: load it with the version that wrote it"
            )
        return cls(**{name: v for name, v in with_tuples(values).items() if name != "kind"})


@dataclass(frozen=True)
class PublishedStack(Preprocess):
    """Input of the published HSFNet: a stack of slices and its unscaled 3-D spectrum.

    Nothing is reoriented or normalised, and voxel size is ignored, as published.
    """

    kind: ClassVar[str] = "published_stack"

    crop: tuple[int, int, int] = (256, 256, 130)
    """Centre crop, voxels, in stored axis order."""
    axes: tuple[int, int, int] = (2, 0, 1)
    """Transposition that brings the slice axis to the front."""
    n_slices: int = 30
    """Middle slices kept."""
    side: int = 128
    """In-plane size after linear zoom, without anti-aliasing."""


@dataclass(frozen=True)
class Slabs(Preprocess):
    """Input of the improved HSFNet: thin slabs in up to three planes, at native resolution."""

    kind: ClassVar[str] = "slabs"

    side: int = 160
    """In-plane window, pixels."""
    n_slices: int = 3
    """Neighbouring slices of a slab."""
    smallest_pixel: float = 0.7
    """Finer pixels are averaged to at least this size, mm."""
    anisotropy: float = 2.0
    """A plane is used when its pixels are at most this many times the finest spacing."""
    margin: float = 0.12
    """Share of the head's extent left out at both ends of the slice axis."""
    clip: float = 4.0
    """Largest brightness, in units of the head's 99th percentile."""
    spectrum_floor: float = 0.005
    """Spectral amplitude below which compression is linear."""
    taper: float = 0.25
    """Share of the window's side that fades to zero before the Fourier transform."""


@dataclass(frozen=True)
class Patches(Preprocess):
    """Input of HyS-Net: cubes on a grid, or whole axial slices, at native resolution."""

    kind: ClassVar[str] = "patches"

    mode: Literal["robust", "reference"] = "robust"
    """``robust`` passes over air and divides by a percentile; ``reference`` takes everything and
    divides by the maximum, as published."""
    n_dims: int = 3
    """3 for cubes, 2 for axial slices."""
    side: int = 96
    """Of a cube, voxels; slices have ``slice_side``."""
    stride: int = 48
    """From cube to cube; the last one is flush with the scan's end."""
    percentile: float = 99.9
    """Brightness that becomes 1, in ``robust``; there is no offset, which would change an SNR."""
    floor: float = 1e-6
    """Smallest brightness."""
    least_foreground: float = 0.05
    """Part of a cube that lies in the head, at least, in ``robust``."""
    slice_side: int = 384
    """Slices are padded with zeros, or cut in their middle, to this many pixels."""
    slice_share: float = 0.6
    """The middle part of all slices, which is looked at."""


@dataclass(frozen=True)
class ComplexImage(Preprocess):
    """Input of a prior: complex images of known brightness, under noise of known levels."""

    kind: ClassVar[str] = "complex_image"

    quantile: float = 0.995
    """Of the magnitude, which becomes"""
    brightness: float = 0.9
    """this."""
    least: float = 0.003
    """Smallest standard deviation of the noise in each part that it has learned from,"""
    most: float = 3.0
    """and the largest."""


@dataclass(frozen=True)
class ThickScan(Preprocess):
    """Input of a network that makes thin slices: thick ones, 1 = the brightness of the head.

    The brightness is that of ``ops.regions.head_scale`` of the thick scan; nothing is subtracted.
    """

    kind: ClassVar[str] = "thick_scan"

    ratios: tuple[int, int] = (2, 8)
    """Smallest and largest ratio that it has learned from."""
    halo: int = 4
    """Thick slices on each side that matter most to an output."""
    margin: int = 32
    """Pixels on each side, in the plane of the slices, that matter to an output."""
    least: float = 0.005
    """Smallest standard deviation of the noise that it has learned from,"""
    most: float = 0.04
    """and the largest."""


Known = PublishedStack | Slabs | Patches | ComplexImage | ThickScan
_KINDS: dict[str, type[Known]] = {
    kind.kind: kind for kind in (PublishedStack, Slabs, Patches, ComplexImage, ThickScan)
}


def preprocess_from_json(values: dict[str, Any]) -> Known:
    """The preprocess that a checkpoint's header describes.

    Raises:
        BadCheckpoint: Unknown kind, or numbers missing.
    """
    kind = values.get("kind")
    if kind not in _KINDS:
        raise BadCheckpoint(f"unknown preprocess {kind!r}; known: {', '.join(sorted(_KINDS))}")
    return _KINDS[kind].from_json(values)
