"""NIfTI-1 files: the same content gives the same bytes."""

import os
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.data import atomic
from isocenter.data.io._geometry import reoriented, spacing_of
from isocenter.data.io._nifti_header import NIFTI1
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume, UsageError

__all__ = ["int16_scale", "write"]

_OFFSET = 352
_FAST = 1
_LARGEST_SIDE = 32767
_LONGEST_NOTE = 79


def write(
    volume: Volume,
    path: str | os.PathLike[str],
    *,
    dtype: Literal["float32", "int16"] = "float32",
    note: str = "",
) -> Path:
    """Write a scan as NIfTI-1 on the axes of the file it came from.

    Args:
        volume: Any scan; one without a file in its history stays RAS+.
        path: Ends in ``.nii`` or ``.nii.gz``.
        dtype: ``"int16"`` stores whole numbers with slope and intercept, half the size,
            exact to 1/65534 of the image's range.
        note: Goes into the header's field ``descrip``; at most 79 ASCII characters.

    Returns:
        The path.

    Raises:
        UsageError: Another ending or number type, or a note that does not fit.
        BadVolume: A side too long for NIfTI-1, or voxels that are not finite.
        ResourceError: Disk full, folder missing or read-only; nothing is left behind.
    """
    path = Path(path)
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        raise UsageError(f"cannot write {path.suffix or 'a file without ending'}: use .nii.gz")
    if dtype not in ("float32", "int16"):
        raise UsageError(f"cannot write {dtype!r}: use float32 or int16")
    if len(note) > _LONGEST_NOTE or not note.isascii():
        raise UsageError(f"note is {note!r}: give at most {_LONGEST_NOTE} ASCII characters")
    if max(volume.shape) > _LARGEST_SIDE:
        raise BadVolume(f"a side of {max(volume.shape)} voxels does not fit NIfTI-1")
    data, affine = _as_stored(volume)
    stored, slope, intercept = (data, 1.0, 0.0) if dtype == "float32" else _whole(data)
    head = _header(stored, affine, slope, intercept, note)
    content = head + bytes(_OFFSET - len(head)) + stored.tobytes(order="F")
    return atomic.write_bytes(path, _gzip(content) if path.suffix.lower() == ".gz" else content)


def _as_stored(volume: Volume) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Values and affine on the axes of the original file."""
    data = volume.data.detach().cpu().numpy()
    axes = stored_axes(volume)
    flips = tuple(slice(None, None, -1 if back else 1) for _, back in axes)
    moved = data.transpose([axis for axis, _ in axes])[flips]
    return moved, reoriented(volume.affine, volume.shape, axes)


def stored_axes(volume: Volume) -> tuple[tuple[int, bool], ...]:
    """For each axis of the original file, the one of the volume, and whether it runs backwards."""
    said = volume.origin.params.get("orientation") if volume.origin else None
    return _from_ras(str(said) if said else "RAS")


def _from_ras(codes: str) -> tuple[tuple[int, bool], ...]:
    """Transposition and flips from RAS+ to axes of the given directions.

    >>> _from_ras("LPS")
    ((0, True), (1, True), (2, False))
    """
    found = []
    for code in codes:
        axis = next(i for i, pair in enumerate(("RL", "AP", "SI")) if code in pair)
        found.append((axis, code in "LPI"))
    return tuple(found)


def int16_scale(data: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Slope and intercept by which whole numbers of 16 bits span the range of ``data``.

    Rounded as the header stores them, so that reading undoes exactly what was done.

    Raises:
        BadVolume: Voxels that are not finite.
    """
    low, high = float(data.min()), float(data.max())
    if not np.isfinite([low, high]).all():
        raise BadVolume("voxels that are not finite cannot be int16: write float32")
    slope = float(np.float32((high - low) / 65534)) or 1.0
    return slope, float(np.float32((high + low) / 2))


def _whole(data: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int16], float, float]:
    slope, intercept = int16_scale(data)
    whole = np.rint((data.astype(np.float64) - intercept) / slope)
    return np.clip(whole, -32768, 32767).astype("<i2"), slope, intercept


def _header(
    stored: npt.NDArray[np.generic],
    affine: npt.NDArray[np.float64],
    slope: float,
    intercept: float,
    note: str,
) -> bytes:
    header = np.zeros(1, NIFTI1)[0]
    header["sizeof_hdr"] = 348
    header["dim"] = [3, *stored.shape, 1, 1, 1, 1]
    header["datatype"], header["bitpix"] = (16, 32) if stored.dtype.kind == "f" else (4, 16)
    header["pixdim"] = [1, *spacing_of(affine), 1, 1, 1, 1]
    header["vox_offset"] = _OFFSET
    header["scl_slope"], header["scl_inter"] = slope, intercept
    header["xyzt_units"] = 2
    header["descrip"] = note.encode()
    # Only the sform: it holds oblique and sheared axes alike, and nothing can conflict with it.
    header["sform_code"] = 1
    header["srow"] = affine[:3]
    header["magic"] = b"n+1"
    return bytes(header.tobytes())


def _gzip(content: bytes) -> bytes:
    from isal import igzip_lib

    # No file name and no time in the header: the same content gives the same bytes.
    packed: bytes = igzip_lib.compress(content, level=_FAST, flag=igzip_lib.COMP_GZIP)
    return packed
