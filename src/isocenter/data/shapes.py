"""Names for array shapes, checked by beartype in the test run and free otherwise."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Complex64, Float32, Float64
from torch import Tensor

__all__ = ["Affine44", "Image3", "Kspace4", "Mask3"]

Image3: TypeAlias = Float32[Tensor, "x y z"]
"""Real scan, arbitrary units, RAS+."""
Mask3: TypeAlias = Bool[Tensor, "x y z"]
"""True inside."""
Kspace4: TypeAlias = Complex64[Tensor, "coil x y z"]
"""K-space, centred, orthonormal."""
Affine44: TypeAlias = Float64[np.ndarray, "4 4"]
"""Voxel index to world position in mm."""
