"""Masks and coil maps from files of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import registry
from isocenter.data.io._choosing import recognising_reader
from isocenter.data.io._door import enter
from isocenter.data.io._hdf5 import HDF5_MAGIC
from isocenter.data.io._loaded import Selection
from isocenter.data.io.kspace import cfl, mat, npy
from isocenter.data.io.kspace._acquired import as_complex
from isocenter.data.io.kspace._hdf import opened, shown_keys
from isocenter.errors import BadKSpace, BadVolume

__all__ = ["load_maps", "load_mask"]

LARGEST_TEXT = 64 << 20
"""Bytes of a mask as text."""
_TEXT = (".txt", ".tsv", ".csv")
_MAPS = ("s_maps", "maps", "sens_maps")
"""Names that coil maps have in HDF5."""


def load_mask(path: Path) -> npt.NDArray[np.generic]:
    """A mask as stored: (x,), (y, x) or (slice, y, x).

    Raises:
        BadKSpace: No mask, damaged, or of a format that holds none.
        NothingFound: No such file.
    """
    try:
        head, name = enter(path).head, path.name.lower()
        if npy.recognises(head, path):
            return np.asarray(npy.mapped(path))
        if name.endswith(mat.ENDINGS):
            return mat.variable(path, "mask")
        if name.endswith(_TEXT):
            return _from_text(path)
        if head.startswith(HDF5_MAGIC):
            return np.asarray(_from_hdf5(path, ("mask",)))
        return _from_image(path)
    except BadVolume as error:
        raise BadKSpace(str(error)) from error


def load_maps(path: Path) -> npt.NDArray[np.complex64]:
    """Coil maps as (slice, set, coil, y, x): cfl, NumPy or HDF5.

    Raises:
        BadKSpace: No maps, damaged, real, or of a format that holds none.
        NothingFound: No such file.
    """
    try:
        head = enter(path).head
        if cfl.recognises(head, path):
            return cfl.load_maps(path)
        if npy.recognises(head, path):
            return _five_axes(as_complex(npy.mapped(path)))
        if head.startswith(HDF5_MAGIC):
            return _five_axes(as_complex(_from_hdf5(path, _MAPS)))
    except BadVolume as error:
        raise BadKSpace(str(error)) from error
    raise BadKSpace("coil maps are read from .cfl, .npy and .h5: save them as one of these")


def _five_axes(maps: npt.NDArray[np.complex64]) -> npt.NDArray[np.complex64]:
    if maps.ndim == 3:
        return maps[None, None]
    if maps.ndim == 4:
        return maps[:, None]
    if maps.ndim != 5:
        raise BadKSpace(
            f"coil maps of shape {maps.shape}: give (coil, y, x) or (slice, coil, y, x)"
        )
    return maps


def _from_text(path: Path) -> npt.NDArray[np.generic]:
    if path.stat().st_size > LARGEST_TEXT:
        raise BadKSpace(f"a mask of more than {LARGEST_TEXT >> 20} MB of text: save it as .npy")
    lines = path.read_bytes().decode("utf-8-sig", "replace").splitlines()
    rows = [line.replace(",", " ").split() for line in lines if line.strip()]
    words = {word for row in rows for word in row}
    if not rows or len({len(row) for row in rows}) != 1 or not words <= {"0", "1"}:
        raise BadKSpace("a mask as text has one row of 0 and 1 for each row of k-space, or one row")
    return np.array([[word == "1" for word in row] for row in rows])


def _from_hdf5(path: Path, names: tuple[str, ...]) -> Any:
    with opened(path) as file:
        name = next((name for name in names if name in file), None)
        if name is None:
            raise BadKSpace(f"no {' or '.join(names)}; keys found: {shown_keys(file)}")
        return np.asarray(file[name][()])


def _from_image(path: Path) -> npt.NDArray[np.generic]:
    reader = recognising_reader(path, registry.readers)
    if reader is None:
        raise BadKSpace(
            "a mask is read from .npy, .mat, .txt, .tsv, .h5 and NIfTI: use one of these"
        )
    image = reader.load(path, Selection()).data
    return np.asarray(image.transpose(2, 1, 0))
