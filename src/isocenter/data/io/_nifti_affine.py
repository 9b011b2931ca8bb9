"""From header fields to millimetres.

NIfTI: https://nifti.nimh.nih.gov/nifti-1 (methods 1 to 3).  Analyze: the convention of SPM,
x stored from right to left, as nibabel reads it.
"""

from __future__ import annotations

import numpy as np

from isocenter.data.io._geometry import Affine, corner_distance
from isocenter.data.io._nifti_header import Header

__all__ = ["affine_of"]

_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
"""Codes of ``xyzt_units`` & 7: metre, millimetre, micron."""
_UNITS = {1: "metres", 3: "microns"}
NOTICED_CONFLICT_MM = 0.2


def affine_of(header: Header, shape: tuple[int, int, int]) -> tuple[Affine, list[str]]:
    """Stored voxel index to world in mm, and what was noticed; not yet checked."""
    if header.format == "Analyze 7.5":
        return _analyze(header, shape)
    affine, notes = _nifti(header, shape)
    unit = int(header.number("xyzt_units")) & 7
    if unit in _UNITS:
        notes.append(f"voxel sizes were given in {_UNITS[unit]} and converted to mm")
        affine[:3] *= _MM[unit]
    return affine, notes


def _nifti(header: Header, shape: tuple[int, int, int]) -> tuple[Affine, list[str]]:
    has_sform, has_qform = header.number("sform_code") > 0, header.number("qform_code") > 0
    if not has_sform and not has_qform:
        affine, notes = _from_sizes(header, shape)
        return affine, ["orientation unknown: left/right not guaranteed", *notes]
    if not has_sform:
        qform, notes = _qform(header)
        return qform, notes
    sform = np.eye(4)
    sform[:3] = header.numbers("srow").reshape(3, 4)
    return sform, _conflict(header, sform, shape) if has_qform else []


def _conflict(header: Header, sform: Affine, shape: tuple[int, int, int]) -> list[str]:
    qform, _ = _qform(header)
    distance = corner_distance(sform, qform, shape)
    if not distance > NOTICED_CONFLICT_MM:
        return []
    return [f"sform and qform differ by up to {distance:.1f} mm: sform was used"]


def _qform(header: Header) -> tuple[Affine, list[str]]:
    sizes, notes = _sizes(header)
    sizes[2] *= -1 if header.numbers("pixdim")[0] < 0 else 1
    affine = np.eye(4)
    affine[:3, :3] = _rotation(header.numbers("quatern")) * sizes
    affine[:3, 3] = header.numbers("qoffset")
    return affine, notes


def _rotation(quaternion: Affine) -> Affine:
    """Rotation of the unit quaternion (a, b, c, d) with a >= 0, of which b, c, d are given."""
    vector = quaternion
    squared = float(vector @ vector)
    if squared > 1:  # rounding of half turns
        vector, squared = vector / np.sqrt(squared), 1.0
    a, (b, c, d) = np.sqrt(1 - squared), vector
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )


def _from_sizes(header: Header, shape: tuple[int, int, int]) -> tuple[Affine, list[str]]:
    sizes, notes = _sizes(header)
    affine = np.diag([-sizes[0], sizes[1], sizes[2], 1.0])
    affine[:3, 3] = affine[:3, :3] @ -((np.array(shape) - 1) / 2)
    return affine, notes


def _sizes(header: Header) -> tuple[Affine, list[str]]:
    sizes = np.abs(header.numbers("pixdim")[1:4])
    if (sizes == 0).any():
        sizes[sizes == 0] = 1.0
        return sizes, ["voxel size missing: assumed 1 mm; give it with --voxel-size"]
    return sizes, []


def _analyze(header: Header, shape: tuple[int, int, int]) -> tuple[Affine, list[str]]:
    affine, notes = _from_sizes(header, shape)
    origin, sides = header.numbers("origin")[:3], np.array(shape)
    if origin.any() and (origin > -sides).all() and (origin < 2 * sides).all():
        affine[:3, 3] = affine[:3, :3] @ -(origin - 1)
    return affine, ["orientation unknown (Analyze 7.5): left/right not guaranteed", *notes]
