"""MINC-1 (netCDF) and MINC-2 (HDF5), decoded by nibabel behind our own budgets.

Reference: https://en.wikibooks.org/wiki/MINC/Reference
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.data.io._door import DAMAGE, Entrance, enter, printable
from isocenter.data.io._geometry import axis_codes, checked_affine, spacing_of, with_spacing
from isocenter.data.io._hdf5 import HDF5_MAGIC, refuse_foreign
from isocenter.data.io._loaded import Loaded, Selection
from isocenter.data.io._names import contrast_of
from isocenter.data.io._raw import chosen_volume, refuse_too_large
from isocenter.data.io._stream import ByteStream
from isocenter.data.io._values import scaled
from isocenter.data.scores import ScanFacts
from isocenter.errors import BadVolume

__all__ = ["ENDINGS", "count_volumes", "load", "recognises"]

ENDINGS = (".mnc", ".mnc.gz")

_NETCDF = (b"CDF\x01", b"CDF\x02")
LARGEST_NETCDF = 2**31


def recognises(head: bytes, path: Path) -> bool:
    """Whether a file that begins with ``head`` (decompressed) is netCDF, or HDF5 named MINC."""
    if head.startswith(_NETCDF):
        return True
    return head.startswith(HDF5_MAGIC) and (
        b"minc-2.0" in head or path.name.lower().endswith(ENDINGS)
    )


def count_volumes(path: Path) -> int:
    """Volumes along the axis that is not space.

    Raises:
        BadVolume: Damaged or not MINC.
    """
    with _opened(enter(path), Selection()) as (minc, _, _):
        return _volumes(minc)[0]


def load(path: Path, selection: Selection) -> Loaded:
    """Read one volume, scaled to real units.

    Args:
        path: The file.
        selection: ``volume`` must be given where there are several.

    Raises:
        BadVolume: Damaged, not MINC, above the budget, or reaching into other files.
        NeedsChoice: Several volumes and none chosen.
    """
    entrance = enter(path)
    with _opened(entrance, selection) as (minc, kind, digest):
        n_volumes, axis = _volumes(minc)
        index = chosen_volume(n_volumes, selection.volume)
        shape = tuple(int(side) for side in minc.get_data_shape())
        refuse_too_large(tuple(s for a, s in enumerate(shape) if a != axis), selection.max_voxels)
        affine = np.asarray(minc.get_affine(), np.float64)
        dtype = np.dtype(minc.get_data_dtype())
        notes = [] if _is_regular(minc) else ["axis spacing is declared oddly: regular assumed"]
        data = _values(minc, axis, index)
    if selection.voxel_size is not None:
        affine = with_spacing(affine, selection.voxel_size)
    notes += checked_affine(affine, data.shape)
    facts = ScanFacts(
        name=printable(path.name),
        sha256=digest,
        format=kind,
        shape=shape,
        spacing=spacing_of(affine),
        dtype=dtype.newbyteorder("=").name,
        orientation=axis_codes(affine),
        contrast=contrast_of(path.name),
        warnings=(*entrance.name_warnings, *notes),
    )
    return Loaded(scaled(data), affine, facts, n_volumes)


@contextmanager
def _opened(entrance: Entrance, selection: Selection) -> Iterator[tuple[Any, str, str]]:
    """nibabel's view of the file, the format's name and the hash of its bytes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nibabel warns of odd spacing; we say it ourselves
            if entrance.head.startswith(_NETCDF):
                yield _netcdf(entrance, selection)
            elif entrance.head.startswith(HDF5_MAGIC) and not entrance.compressed:
                import h5py

                with h5py.File(entrance.path, "r") as file:
                    yield _hdf5(file, entrance)
            else:
                raise BadVolume("not a MINC file: its first bytes are something else")
    except DAMAGE as error:
        raise BadVolume("MINC file is damaged or cut short: export it again") from error


def _netcdf(entrance: Entrance, selection: Selection) -> tuple[Any, str, str]:
    from nibabel.externals.netcdf import netcdf_file
    from nibabel.minc1 import Minc1File

    budget = min(LARGEST_NETCDF, 8 * selection.max_voxels)
    with ByteStream(entrance.path) as stream:
        content = _at_most(stream, budget)
        digest = stream.finish()
    return Minc1File(netcdf_file(io.BytesIO(content))), "MINC-1", digest


def _at_most(stream: ByteStream, budget: int) -> bytes:
    parts: list[bytes] = []
    while piece := stream.read(1 << 20):
        parts.append(piece)
        if stream.passed > budget:
            raise BadVolume(f"more than {budget:,} bytes: raise the budget with --max-voxels")
    return b"".join(parts)


def _hdf5(file: Any, entrance: Entrance) -> tuple[Any, str, str]:
    from nibabel.minc2 import Minc2File

    refuse_foreign(file)
    if "minc-2.0" not in file:
        raise BadVolume("HDF5 without the group minc-2.0: not a MINC file")
    with ByteStream(entrance.path) as stream:
        digest = stream.finish()
    return Minc2File(file), "MINC-2", digest


def _volumes(minc: Any) -> tuple[int, int | None]:
    """How many volumes there are, and along which axis.

    Raises:
        BadVolume: Not three axes of space and at most one other.
    """
    names, shape = list(minc._dim_names), minc.get_data_shape()
    others = [axis for axis, name in enumerate(names) if not name.endswith("space")]
    if len(shape) - len(others) != 3 or len(names) != len(shape):
        raise BadVolume(f"{len(shape) - len(others)} axes of space: a scan has three")
    if any(names[axis] == "vector_dimension" for axis in others):
        raise BadVolume("colour or vector image: not an MR magnitude image")
    if len(others) > 1:
        raise BadVolume(f"{len(shape)}-D image: give one 3-D or 4-D image")
    if prod(shape) == 0:
        raise BadVolume(f"image has no voxels: its sides are {tuple(shape)}")
    return (int(shape[others[0]]), others[0]) if others else (1, None)


def _values(minc: Any, axis: int | None, index: int) -> npt.NDArray[np.generic]:
    if axis is None:
        return np.asarray(minc.get_scaled_data())
    wanted = tuple(index if place == axis else slice(None) for place in range(4))
    return np.asarray(minc.get_scaled_data(wanted))


def _is_regular(minc: Any) -> bool:
    said = [getattr(dim, "spacing", b"regular__") for dim in minc._dims]
    return all(spacing == b"regular__" for spacing in said)
