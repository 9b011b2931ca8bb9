"""BART ``.cfl`` with its ``.hdr``: complex64, first axis fastest, centred.

Reference: https://mrirecon.github.io/bart, doi:10.5281/zenodo.592960
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from isocenter.data.io._door import enter, printable
from isocenter.data.io._names import contrast_of
from isocenter.data.io.kspace._acquired import Acquired, Request, as_complex
from isocenter.data.io.kspace._geometry import NO_ORIENTATION, NO_SIZE, unplaced
from isocenter.data.io.kspace._readout import readout_to_image
from isocenter.errors import BadKSpace

__all__ = ["ENDINGS", "load", "load_maps", "recognises"]

ENDINGS = (".cfl",)

_Array: TypeAlias = npt.NDArray[np.complex64]

N_AXES = 16
READOUT, PHASE_1, PHASE_2, COIL, MAPS, SLICE = 0, 1, 2, 3, 4, 13
_SPACE = (READOUT, PHASE_1, PHASE_2, COIL, MAPS, SLICE)
_NAMES = {5: "echo", 6: "coefficient", 10: "time", 11: "second time", 14: "average"}
LONGEST_HEADER = 1 << 16


def recognises(head: bytes, path: Path) -> bool:
    """Whether it is one half of a pair, by the header's first line."""
    if head.startswith(b"# Dimensions"):
        return True
    return path.name.endswith(".cfl") and _half(path, ".hdr").is_file()


def load(path: Path, request: Request) -> Acquired:
    """Read the wanted slices; three-dimensional k-space becomes a stack along its readout.

    Raises:
        BadKSpace: A half is missing or cut short, or the dimensions make no sense.
        NeedsChoice: Several echoes or times and none chosen.
    """
    array = _mapped(path)
    if array.shape[MAPS] > 1:
        raise BadKSpace("several sets of maps in one file: these are coil maps, give them as maps")
    others = [axis for axis in range(N_AXES) if axis not in _SPACE and array.shape[axis] > 1]
    what = ", ".join(_NAMES.get(axis, f"dimension {axis}") for axis in others)
    index = request.choose(prod(array.shape[axis] for axis in others), what)
    view = _one_volume(array, others, index)
    x, y, z, n_coils, n_stacked = (view.shape[a] for a in (READOUT, PHASE_1, PHASE_2, COIL, -1))
    if z > 1 and n_stacked > 1:
        raise BadKSpace(f"{n_stacked} slices of three-dimensional k-space: give one of them")
    n_slices, grid = (x, (z, y)) if z > 1 else (n_stacked, (x, y))
    first, behind = request.run(n_slices)
    request.demand(n_slices if z > 1 else behind - first, n_coils, *grid)
    if z > 1:  # (x, y, z, coil) to (x, coil, z, y)
        data = readout_to_image(view[..., 0, 0].transpose(0, 3, 2, 1), axis=0)[first:behind]
    else:  # (x, y, coil, slice) to (slice, coil, x, y)
        data = view[:, :, 0, :, 0, first:behind].transpose(3, 2, 0, 1)
    return Acquired(
        data=as_complex(data),
        n_slices=n_slices,
        first=first,
        format="BART",
        affine=unplaced((n_slices, *grid), (1.0, 1.0, 1.0)),
        contrast=contrast_of(path.name),
        facts={"three_dimensional": z > 1},
        warnings=(NO_ORIENTATION, NO_SIZE),
    )


def load_maps(path: Path) -> _Array:
    """Coil maps as (slice, set, coil, y, x); a volume's become a stack along its readout.

    Raises:
        BadKSpace: A half is missing or cut short, or there is more than maps in it.
    """
    array = _mapped(path)
    others = [axis for axis in range(N_AXES) if axis not in _SPACE and array.shape[axis] > 1]
    if others:
        raise BadKSpace(f"coil maps have no dimension {others[0]}: is this k-space?")
    view = _one_volume(array, [], 0)
    if view.shape[PHASE_2] > 1:  # (x, y, z, coil, set) to (x, set, coil, z, y)
        return as_complex(view[..., 0].transpose(0, 4, 3, 2, 1))
    return as_complex(view[:, :, 0].transpose(4, 3, 2, 0, 1))


def _one_volume(array: _Array, others: list[int], index: int) -> _Array:
    """Six axes: readout, both phase encodes, coil, maps, slice."""
    place: list[int | slice] = [slice(None) if axis in _SPACE else 0 for axis in range(N_AXES)]
    sides = [array.shape[axis] for axis in others]
    for axis, chosen in zip(others, np.unravel_index(index, sides, order="F"), strict=True):
        place[axis] = int(chosen)
    return array[tuple(place)]


def _mapped(path: Path) -> _Array:
    header, content = _half(path, ".hdr"), _half(path, ".cfl")
    for half in (header, content):
        if not half.is_file():
            raise BadKSpace(f"missing companion {printable(half.name)}: put it beside this file")
    sides = _dimensions(header)
    wanted, size = 8 * prod(sides), enter(content).size
    if size != wanted:
        ends = "ends early" if size < wanted else "is longer than its header says"
        raise BadKSpace(f"data {ends} (got {size:,} of {wanted:,} bytes): fetch it again")
    return np.memmap(content, np.dtype("<c8"), "r", shape=sides, order="F")


def _dimensions(header: Path) -> tuple[int, ...]:
    with open(header, "rb") as file:
        lines = file.read(LONGEST_HEADER).decode("latin-1").splitlines()
    starts = [number for number, line in enumerate(lines[:-1]) if line.startswith("# Dimensions")]
    words = lines[starts[0] + 1].split() if starts else []
    if not 1 <= len(words) <= N_AXES or not all(w.isdecimal() and int(w) > 0 for w in words):
        raise BadKSpace(f"{printable(header.name)} gives no dimensions: export the pair again")
    return (*map(int, words), *[1] * (N_AXES - len(words)))


def _half(path: Path, ending: str) -> Path:
    return path.with_name(path.name.removesuffix(".cfl").removesuffix(".hdr") + ending)
