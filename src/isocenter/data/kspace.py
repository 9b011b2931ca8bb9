"""``KSpace`` and ``Mask``: what a scanner measured, before it becomes a scan."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Complex64
from torch import Tensor

from isocenter.data.shapes import Affine44, Kspace4, Maps5
from isocenter.data.step import Step
from isocenter.errors import BadKSpace

__all__ = ["KSpace", "Mask"]


@dataclass(frozen=True, eq=False)
class Mask:
    """Which places of k-space were measured.

    Raises:
        BadKSpace: No place, or no axis for one.
    """

    places: Bool[Tensor, "slice y x"]
    """True where measured; one slice stands for all where all are alike."""

    def __post_init__(self) -> None:
        if self.places.ndim != 3 or self.places.dtype != torch.bool:
            raise BadKSpace(
                f"a mask is boolean with axes (slice, y, x); got {self.places.dtype} "
                f"{tuple(self.places.shape)}"
            )
        if not bool(self.places.any()):
            raise BadKSpace("the mask measures nothing: give one that is true somewhere")

    @property
    def true_acceleration(self) -> float:
        """All places over the measured ones, whatever a name or a header says."""
        return self.places.numel() / int(self.places.sum())

    @cached_property
    def acs(self) -> tuple[int, int]:
        """Rows and columns of the fully measured block around the centre of every slice."""
        common = self.places.all(0)
        rows, columns = _centred_run(common.all(1)), _centred_run(common.all(0))
        if rows or columns:
            n_rows, n_columns = common.shape
            return (rows, n_columns) if rows >= columns * n_rows / n_columns else (n_rows, columns)
        return _largest_centred_block(common)


@dataclass(frozen=True, eq=False)
class KSpace:
    """Multi-coil k-space of a stack of slices, and where its image will lie.

    A three-dimensional acquisition stands here as a stack, too: its readout, which is always
    fully measured, was transformed and became the first axis.

    Raises:
        BadKSpace: Axes, sizes or types do not fit each other; the message names both.
    """

    data: Kspace4
    """complex64 (slice, coil, y, x), centred, orthonormal; exactly 0 where not measured."""
    mask: Mask
    affine: Affine44
    """Index (slice, y, x) of the image to world position in mm, RAS+."""
    maps: Maps5 | None = None
    """complex64 (slice, set, coil, y, x), sum over coils of |S|^2 is 1 on the support, else 0;
    ``None`` until somebody finds them."""
    noise: Complex64[Tensor, "coil sample"] | None = None
    """Samples without signal; ``None`` where there was no noise scan."""
    image_shape: tuple[int, int] | None = None
    """Rows and columns that the image should keep around its centre; ``None`` keeps all.
    Oversampling of the readout ends here."""
    contrast: str | None = None
    history: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        if self.data.ndim != 4 or self.data.numel() == 0:
            raise BadKSpace(
                f"k-space has axes (slice, coil, y, x); got shape {tuple(self.data.shape)}"
            )
        if self.data.dtype != torch.complex64:
            raise BadKSpace(f"k-space is complex64; got {self.data.dtype}: is this an image?")
        self._check_mask()
        self._check_maps()
        if self.affine.shape != (4, 4) or not np.isfinite(self.affine).all():
            raise BadKSpace("affine is not a finite 4 x 4 matrix: give image index to world in mm")

    @property
    def n_slices(self) -> int:
        return self.data.shape[0]

    @property
    def n_coils(self) -> int:
        return self.data.shape[1]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of k-space."""
        return self.data.shape[2], self.data.shape[3]

    def after(self, data: Kspace4, step: Step) -> "KSpace":
        """What ``step`` made of it: same place, longer history."""
        return replace(self, data=data, history=(*self.history, step))

    def slices(self, chosen: slice) -> "KSpace":
        """Some of the slices; the affine follows."""
        first = chosen.indices(self.n_slices)[0]
        affine = self.affine.copy()
        affine[:3, 3] += first * affine[:3, 0]
        places = self.mask.places
        return replace(
            self,
            data=self.data[chosen],
            mask=Mask(places[chosen]) if len(places) > 1 else self.mask,
            maps=None if self.maps is None else self.maps[chosen],
            affine=affine,
        )

    def to(self, device: str | torch.device) -> "KSpace":
        """The same on another device."""
        return replace(
            self,
            data=self.data.to(device),
            mask=Mask(self.mask.places.to(device)),
            maps=None if self.maps is None else self.maps.to(device),
            noise=None if self.noise is None else self.noise.to(device),
        )

    def _check_mask(self) -> None:
        places = tuple(self.mask.places.shape)
        if places[0] not in (1, self.n_slices) or places[1:] != self.grid:
            raise BadKSpace(
                f"the mask has {places[1]} rows and {places[2]} columns, k-space has "
                f"{self.grid[0]} and {self.grid[1]}: give a mask of that size"
            )

    def _check_maps(self) -> None:
        if self.maps is None:
            return
        slices, _, coils, *grid = self.maps.shape
        if (slices, coils, *grid) != self.data.shape:
            raise BadKSpace(
                f"the coil maps are {coils} coils of {' x '.join(map(str, grid))} in {slices} "
                f"slices, k-space is {self.n_coils} of {self.grid[0]} x {self.grid[1]} in "
                f"{self.n_slices}: give maps of the same size"
            )

    def __repr__(self) -> str:
        rows, columns = self.grid
        return (
            f"KSpace({self.n_slices} slices, {self.n_coils} coils, {rows} x {columns}, "
            f"R={self.mask.true_acceleration:.2f}, ACS {self.mask.acs[0]} x {self.mask.acs[1]})"
        )


def _centred_run(measured: Bool[Tensor, " n"]) -> int:
    """Length of the run of true values that holds the centre, ``n // 2``."""
    centre = len(measured) // 2
    if not bool(measured[centre]):
        return 0
    missing = (~measured).nonzero().flatten()
    before, behind = missing[missing < centre], missing[missing > centre]
    first = int(before.max()) + 1 if len(before) else 0
    last = int(behind.min()) if len(behind) else len(measured)
    return last - first


def _largest_centred_block(measured: Bool[Tensor, "y x"]) -> tuple[int, int]:
    """Of the blocks around the centre that keep the shape of k-space, the largest full one."""
    rows, columns = measured.shape
    block = (0, 0)
    for height in range(1, rows + 1):
        width = max(1, round(height * columns / rows))
        top, left = rows // 2 - height // 2, columns // 2 - width // 2
        if not bool(measured[top : top + height, left : left + width].all()):
            break
        block = (height, width)
    return block
