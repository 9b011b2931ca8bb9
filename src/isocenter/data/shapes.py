"""Names for array shapes, checked by beartype in the test run and free otherwise."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Complex64, Float32, Float64
from torch import Tensor

__all__ = ["Affine44", "Image3", "Kspace4", "Maps5", "Mask3", "Slices3"]

Image3: TypeAlias = Float32[Tensor, "x y z"]
"""Real scan, arbitrary units, RAS+."""
Mask3: TypeAlias = Bool[Tensor, "x y z"]
"""True inside."""
Kspace4: TypeAlias = Complex64[Tensor, "slice coil y x"]
"""K-space of a stack of slices, centred, orthonormal."""
Maps5: TypeAlias = Complex64[Tensor, "slice set coil y x"]
"""Coil sensitivities; the sum over coils of their squared magnitudes is 1 on the support."""
Slices3: TypeAlias = Complex64[Tensor, "slice y x"]
"""Complex image of a stack of slices."""
Affine44: TypeAlias = Float64[np.ndarray, "4 4"]
"""Voxel index to world position in mm."""
