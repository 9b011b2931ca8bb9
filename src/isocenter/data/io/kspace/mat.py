"""MATLAB 5 ``.mat`` with one complex array: (y, x), (y, x, slice) or (y, x, slice, average).

Reference: https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.data.io._names import contrast_of
from isocenter.data.io._raw import BELIEVABLE_EXPANSION, HARMLESS, readable
from isocenter.data.io.kspace._acquired import Acquired, Request
from isocenter.data.io.kspace._hdf import shown_keys
from isocenter.data.io.kspace._plain import arranged
from isocenter.errors import BadKSpace

__all__ = ["ENDINGS", "load", "recognises", "variable"]

ENDINGS = (".mat",)

_MAGIC, _NEWER = b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file"
_NAMES = ("kspace", "ksp", "k_space", "kdata", "rawdata", "raw")
_AXES = {2: "yx", 3: "yxs", 4: "yxsa"}
_DAMAGE = (
    ArithmeticError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What SciPy raises on files that are damaged or not of this format."""
_ASSUMED = {
    3: "three axes were taken as y, x, slice of one coil",
    4: "four axes were taken as y, x, slice, average of one coil",
}


def recognises(head: bytes, path: Path) -> bool:
    """Whether it is a MATLAB 5 file that holds an array with the name of k-space."""
    if not head.startswith(_MAGIC):
        return False
    try:
        return _kspace_name(path) is not None
    except BadKSpace:
        return False


def load(path: Path, request: Request) -> Acquired:
    """Read the wanted slices.

    Raises:
        BadKSpace: Damaged, without k-space, or far larger than its stored bytes.
        UsageError: The named axes do not fit.
    """
    name = _kspace_name(path)
    if name is None:
        raise BadKSpace(f"no kspace; variables found: {shown_keys(_shapes(path))}")
    shape = _shapes(path)[name]
    request.demand(*shape)
    if request.axes is None and len(shape) not in _AXES:
        raise BadKSpace(f"an array of shape {shape} has unknown axes: name them as in axes='scyx'")
    stored, n_axes = variable(path, name), len(shape)
    said = (_ASSUMED[n_axes],) if n_axes in _ASSUMED else ()
    acquired = arranged(stored, _AXES.get(n_axes, ""), request, format="MATLAB 5", said=said)
    facts = {**acquired.facts, "variable": name}
    return replace(acquired, contrast=contrast_of(path.name), facts=facts)


def variable(path: Path, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """One array of the file.

    Raises:
        BadKSpace: Damaged, or no such array, or far larger than its stored bytes.
    """
    import scipy.io

    shapes = _shapes(path)
    if name not in shapes:
        raise BadKSpace(f"no {name}; variables found: {shown_keys(shapes)}")
    claimed, size = 8 * prod(shapes[name]), path.stat().st_size
    if claimed > HARMLESS and claimed > BELIEVABLE_EXPANSION * size:
        raise BadKSpace(f"header asks {readable(claimed)}; file has {readable(size)}: not k-space")
    try:
        return np.asarray(scipy.io.loadmat(path, variable_names=[name])[name])
    except (*_DAMAGE, scipy.io.matlab.MatReadError) as error:
        raise _damaged(error) from error


def _kspace_name(path: Path) -> str | None:
    known = {name.lower(): name for name in _shapes(path)}
    return next((known[name] for name in _NAMES if name in known), None)


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the numeric arrays, from their headers."""
    import scipy.io

    with open(path, "rb") as file:
        start = file.read(len(_MAGIC))
    if start == _NEWER:
        raise BadKSpace("MATLAB 7.3 is not read: save the array with save(..., '-v7')")
    if start != _MAGIC:
        raise BadKSpace("not a MATLAB 5 file: its first bytes are something else")
    try:
        listed: list[tuple[str, Any, str]] = scipy.io.whosmat(path)
    except (*_DAMAGE, scipy.io.matlab.MatReadError) as error:
        raise _damaged(error) from error
    return {name: tuple(shape) for name, shape, kind in listed if kind in _NUMERIC}


_NUMERIC = ("double", "single", "logical", *(f"{s}int{n}" for s in ("", "u") for n in (8, 16, 32)))


def _damaged(error: Exception) -> BadKSpace:
    reason = " ".join(str(error).split())[:120]
    return BadKSpace(f"MATLAB file is damaged or cut short ({reason}): fetch it again")
