"""MGH and MGZ, the format of FreeSurfer.

Reference: https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from isocenter.data.io._door import enter, printable
from isocenter.data.io._geometry import (
    Affine,
    axis_codes,
    checked_affine,
    spacing_of,
    with_spacing,
)
from isocenter.data.io._loaded import Loaded, Selection
from isocenter.data.io._names import contrast_of
from isocenter.data.io._raw import Layout, read_stored, refuse_bomb, refuse_impossible
from isocenter.data.io._values import scaled
from isocenter.data.scores import ScanFacts
from isocenter.errors import BadVolume

__all__ = ["ENDINGS", "count_volumes", "load", "recognises"]

ENDINGS = (".mgh", ".mgz", ".mgh.gz")

_VERSION = 1
_DATA_OFFSET = 284
_TYPES = {0: ">u1", 1: ">i4", 3: ">f4", 4: ">i2", 10: ">u2"}
_HEADER = np.dtype(
    [
        ("version", ">i4"),
        ("dims", ">i4", (4,)),
        ("type", ">i4"),
        ("dof", ">i4"),
        ("placed", ">i2"),
        ("sizes", ">f4", (3,)),
        ("directions", ">f4", (3, 3)),
        ("centre", ">f4", (3,)),
    ]
)
_CORONAL = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""Directions of the stored axes when the header does not give them."""


def recognises(head: bytes, path: Path) -> bool:
    """Whether a file that begins with ``head`` (decompressed) is MGH; the name is not asked."""
    if len(head) < _HEADER.itemsize:
        return False
    header = _parse(head)
    return int(header["version"]) == _VERSION and int(header["type"]) in range(16)


def count_volumes(path: Path) -> int:
    """Frames of the file, from the header alone.

    Raises:
        BadVolume: The header makes no sense.
    """
    layout = _layout(_parse(_head(path)))
    refuse_impossible(path, layout)
    refuse_bomb(path, layout)
    return layout.n_volumes


def load(path: Path, selection: Selection) -> Loaded:
    """Read one frame.

    Args:
        path: The file.
        selection: ``volume`` must be given where there are several frames.

    Raises:
        BadVolume: Damaged, not MGH, or above the budget.
        NeedsChoice: Several frames and none chosen.
    """
    entrance = enter(path)
    header = _parse(_head(path))
    layout = _layout(header)
    affine, notes = _affine(header, layout.shape)
    if selection.voxel_size is not None:
        affine = with_spacing(affine, selection.voxel_size)
    notes += checked_affine(affine, layout.shape)
    stored = read_stored(path, layout, selection)
    # FreeSurfer writes its own record behind the voxels of every file: no news.
    seen = [said for said in stored.warnings if "behind the image" not in said]
    facts = ScanFacts(
        name=printable(path.name),
        sha256=stored.sha256,
        format="MGH",
        shape=(*layout.shape, layout.n_volumes)[: 4 if layout.n_volumes > 1 else 3],
        spacing=spacing_of(affine),
        dtype=layout.dtype.newbyteorder("=").name,
        orientation=axis_codes(affine),
        contrast=contrast_of(path.name),
        warnings=(*entrance.name_warnings, *notes, *seen),
    )
    return Loaded(scaled(stored.raw), affine, facts, layout.n_volumes)


def _head(path: Path) -> bytes:
    head = enter(path).head
    if not recognises(head, path):
        raise BadVolume("not an MGH header: its first bytes are something else; export it again")
    return head


def _parse(head: bytes) -> np.void:
    record: np.void = np.frombuffer(head, _HEADER, count=1)[0]
    return record


def _layout(header: np.void) -> Layout:
    dims = tuple(int(side) for side in header["dims"])
    if min(dims) < 0:
        raise BadVolume(f"negative dimension in header: {dims}")
    if min(dims) == 0:
        raise BadVolume(f"image has no voxels: the header's sides are {dims}")
    code = int(header["type"])
    if code not in _TYPES:
        raise BadVolume(f"header field type is {code}: known are {', '.join(map(str, _TYPES))}")
    x, y, z, n_volumes = dims
    return Layout((x, y, z), n_volumes, np.dtype(_TYPES[code]), _DATA_OFFSET)


def _affine(header: np.void, shape: tuple[int, int, int]) -> tuple[Affine, list[str]]:
    affine = np.eye(4)
    centre = np.zeros(3)
    notes = []
    if int(header["placed"]) > 0:
        affine[:3, :3] = header["directions"].T.astype(np.float64) * header["sizes"]
        centre = header["centre"].astype(np.float64)
    else:
        affine[:3, :3] = _CORONAL.T
        notes = ["orientation and voxel size unknown: coronal and 1 mm assumed"]
    affine[:3, 3] = centre - affine[:3, :3] @ (np.array(shape) / 2)
    return affine, notes
