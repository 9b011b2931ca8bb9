"""fastMRI HDF5, multicoil and singlecoil, and what :func:`write_kspace_hdf5` writes.

Reference: https://github.com/facebookresearch/fastMRI, arXiv:1811.08839
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.data.io._names import contrast_of
from isocenter.data.io.kspace._acquired import Acquired, Request, as_complex
from isocenter.data.io.kspace._geometry import NO_ORIENTATION, NO_SIZE, unplaced
from isocenter.data.io.kspace._hdf import opened, shown_keys, top_level
from isocenter.data.io.kspace._header import Header, parse_header
from isocenter.data.step import JSON
from isocenter.errors import BadKSpace

__all__ = ["ENDINGS", "load", "recognises"]

ENDINGS = (".h5", ".hdf5")

_FACTS = ("acceleration", "acquisition", "max", "norm", "num_low_frequency", "isocenter_history")
"""Attributes that are kept; the number of the patient is not."""
_CONTRASTS = {"AXFLAIR": "FLAIR", "AXT1": "T1w", "AXT2": "T2w", "CORPD": "PDw"}
_KSPACE_AXES = (3, 4)


def recognises(head: bytes, path: Path) -> bool:
    """Whether it is HDF5 with a data set named ``kspace``."""
    return "kspace" in top_level(head, path)


def load(path: Path, request: Request) -> Acquired:
    """Read the wanted slices and nothing of the others.

    Raises:
        BadKSpace: Damaged, without ``kspace``, or above the budget.
    """
    with opened(path) as file:
        stored = _kspace_of(file)
        n_slices, n_coils, rows, columns = _sides(stored)
        first, behind = request.run(n_slices)
        request.demand(behind - first, n_coils, rows, columns)
        data = as_complex(stored[first:behind])
        header = _header_of(file)
        affine, notes = _affine_of(file, header, (n_slices, rows, columns))
        return Acquired(
            data=data.reshape(behind - first, n_coils, rows, columns),
            n_slices=n_slices,
            first=first,
            format="fastMRI HDF5",
            affine=affine,
            columns=_acquired_columns(header, columns),
            mask=np.asarray(file["mask"][()]) if "mask" in file else None,
            maps=_maps(file, first, behind),
            noise=as_complex(file["noise"][()]) if "noise" in file else None,
            image_shape=_image_shape(file, header, rows, columns),
            contrast=_contrast(file, path),
            facts=_facts(file, header),
            warnings=tuple(notes),
        )


def _kspace_of(file: Any) -> Any:
    stored = file.get("kspace")
    if stored is None or not hasattr(stored, "shape"):
        raise BadKSpace(f"no kspace; keys found: {shown_keys(file)}")
    if stored.ndim not in _KSPACE_AXES:
        raise BadKSpace(
            f"kspace has shape {stored.shape}: fastMRI has (slice, coil, y, x) or (slice, y, x)"
        )
    if 0 in stored.shape:
        raise BadKSpace(f"kspace is empty: its shape is {stored.shape}")
    return stored


def _sides(stored: Any) -> tuple[int, int, int, int]:
    n_slices, *coils, rows, columns = stored.shape
    return n_slices, coils[0] if coils else 1, rows, columns


def _header_of(file: Any) -> Header | None:
    if "ismrmrd_header" not in file:
        return None
    return parse_header(file["ismrmrd_header"][()])


def _acquired_columns(header: Header | None, columns: int) -> npt.NDArray[np.bool_] | None:
    """Columns between the header's limits; the others were filled with zeros."""
    if header is None or header.step_1 is None:
        return None
    left = header.encoded.matrix[1] // 2 - header.step_1.centre
    right = left + header.step_1.maximum + 1
    places = np.zeros(columns, bool)
    places[max(left, 0) : max(right, 0)] = True
    return places if places.any() else None


def _affine_of(
    file: Any, header: Header | None, shape: tuple[int, int, int]
) -> tuple[npt.NDArray[np.float64], list[str]]:
    placed = file.attrs.get("isocenter_affine")
    if placed is not None and np.shape(placed) == (4, 4):
        return np.asarray(placed, np.float64), []
    if header is None or header.encoded.fov is None:
        return unplaced(shape, (1.0, 1.0, 1.0)), [NO_ORIENTATION, NO_SIZE]
    readout, phase, thickness = header.encoded.fov
    thickness /= header.encoded.matrix[2]
    sizes = (thickness, readout / shape[1], phase / shape[2])
    gaps = "distance between slices unknown: taken as their thickness"
    return unplaced(shape, sizes), [NO_ORIENTATION, gaps]


def _maps(file: Any, first: int, behind: int) -> npt.NDArray[np.complex64] | None:
    """Maps that Isocenter wrote: (slice, set, coil, y, x)."""
    return as_complex(file["maps"][first:behind]) if "maps" in file else None


def _image_shape(
    file: Any, header: Header | None, rows: int, columns: int
) -> tuple[int, int] | None:
    if "isocenter_affine" in file.attrs:
        said = file.attrs.get("isocenter_image_shape")
        return None if said is None else (int(said[0]), int(said[1]))
    if header is None:
        return None
    x, y, _ = header.reconstructed.matrix
    shape = min(x, rows), min(y, columns)
    return None if shape == (rows, columns) else shape


def _contrast(file: Any, path: Path) -> str | None:
    said = str(file.attrs.get("acquisition", "")).upper()
    for start, contrast in _CONTRASTS.items():
        if said.startswith(start):
            return contrast
    return str(file.attrs.get("isocenter_contrast", "")) or contrast_of(path.name)


def _facts(file: Any, header: Header | None) -> dict[str, JSON]:
    facts = {name: _plain(file.attrs[name]) for name in _FACTS if name in file.attrs}
    if "isocenter_history" in facts:
        facts["before"] = _history(str(facts.pop("isocenter_history")))
    if header is not None and header.field_strength is not None:
        facts["field_strength"] = header.field_strength
    return facts


def _history(text: str) -> JSON:
    try:
        history: JSON = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return history


def _plain(value: Any) -> JSON:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value
    number = float(np.asarray(value).flat[0])
    return number if math.isfinite(number) else None
