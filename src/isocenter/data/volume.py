"""``Volume``: a scan in space."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from isocenter.data.shapes import Affine44, Image3
from isocenter.data.step import Step
from isocenter.errors import BadVolume

__all__ = ["Volume"]


@dataclass(frozen=True, eq=False)
class Volume:
    """A scan in space: values, where they are, and what was done to them.

    Raises:
        BadVolume: ``data`` is not three-dimensional, is empty, or ``affine`` is not an
            invertible, finite 4 x 4 matrix.
    """

    data: Image3
    """float32 (x, y, z), RAS+, arbitrary units unless said."""
    affine: Affine44
    """float64, voxel index to world, mm."""
    contrast: str | None = None
    """``"T1w"``, ``"T2w"``, ``"FLAIR"``, ``"PDw"``; ``None`` when unknown."""
    history: tuple[Step, ...] = ()
    """What was done, oldest first; a scan from a file begins with ``Step("read", ...)``."""

    def __post_init__(self) -> None:
        if self.data.ndim != 3 or self.data.numel() == 0:
            raise BadVolume(
                f"a volume has three axes and at least one voxel; got shape "
                f"{tuple(self.data.shape)}: give a (x, y, z) tensor"
            )
        if self.affine.shape != (4, 4) or not np.isfinite(self.affine).all():
            raise BadVolume("affine is not a finite 4 x 4 matrix: give voxel-to-world in mm")
        if abs(np.linalg.det(self.affine[:3, :3])) < 1e-9:
            raise BadVolume("affine is singular: two voxel axes point the same way")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along x, y, z."""
        x, y, z = self.data.shape
        return x, y, z

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size along x, y, z in mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return x, y, z

    @property
    def origin(self) -> Step | None:
        """The step that read this scan from a file; ``None`` for a made scan."""
        first = self.history[0] if self.history else None
        return first if first is not None and first.name == "read" else None

    def after(self, data: Image3, step: Step) -> "Volume":
        """The scan that ``step`` made of this one: same place, longer history."""
        return replace(self, data=data, history=(*self.history, step))

    def to(self, device: str | torch.device) -> "Volume":
        """The same scan on another device."""
        return replace(self, data=self.data.to(device))

    def __repr__(self) -> str:
        size = " x ".join(f"{mm:.2f}" for mm in self.spacing)
        done = " > ".join(step.name for step in self.history) or "no history"
        return f"Volume({self.contrast or 'contrast unknown'}, {self.shape}, {size} mm, {done})"
