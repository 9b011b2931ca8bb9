"""ISMRMRD HDF5: Cartesian acquisitions in two and three dimensions.

Reference: https://ismrmrd.readthedocs.io, doi:10.1002/mrm.26089
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.data.io._geometry import Affine
from isocenter.data.io._names import contrast_of
from isocenter.data.io._raw import readable
from isocenter.data.io.kspace._acquired import Acquired, Request
from isocenter.data.io.kspace._geometry import (
    LPS_TO_RAS,
    NO_ORIENTATION,
    NO_SIZE,
    affine_around,
    stack_of,
    unplaced,
)
from isocenter.data.io.kspace._hdf import opened, shown_keys, top_level
from isocenter.data.io.kspace._header import Header, Space, parse_header
from isocenter.data.io.kspace._lines import Grid, Lines, assembled
from isocenter.data.step import JSON
from isocenter.errors import BadKSpace

__all__ = ["ENDINGS", "load", "recognises"]

ENDINGS = (".mrd", ".ismrmrd")

NOISE, CALIBRATION, CALIBRATION_AND_IMAGING, REVERSE = 19, 20, 21, 22
_NO_IMAGE = (23, 24, 26, 27, 28, 29, 30, 31)
"""Navigation, phase correction, feedback, dummies, surface coils, phase stabilisation."""
_VOLUME = ("contrast", "phase", "repetition", "set")
BLOCK = 256
"""Readouts read at once."""

Heads = Any
"""A structured array of the format's acquisition headers."""
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class _Placed:
    """Order of the slices and the affine of the stack."""

    rank: dict[int, int]
    """From a slice's counter to its place along the normal."""
    affine: Affine
    warnings: list[str]


def recognises(head: bytes, path: Path) -> bool:
    """Whether a group of the HDF5 file holds acquisitions and their XML header."""
    return _group(top_level(head, path)) is not None


def load(path: Path, request: Request) -> Acquired:
    """Read the wanted slices.

    Raises:
        BadKSpace: Damaged, not Cartesian, without imaging lines, or above the budget.
        NeedsChoice: Several repetitions, echoes or phases and none chosen.
    """
    with opened(path) as file:
        keys = {name: set(file[name]) if hasattr(file[name], "keys") else set() for name in file}
        name = _group(keys)
        if name is None:
            raise BadKSpace(f"no group with data and xml; keys found: {shown_keys(keys)}")
        header = parse_header(_xml(file[name]["xml"]))
        notes = _refuse_trajectory(header)
        stored = file[name]["data"]
        heads = _heads(stored, path)
        return _acquired(stored, heads, header, request, path, notes)


def _acquired(
    stored: Any, heads: Heads, header: Header, request: Request, path: Path, notes: list[str]
) -> Acquired:
    imaging = _imaging(heads)
    if not len(imaging):
        raise BadKSpace("no imaging line: only noise, calibration or navigation was found")
    chosen = heads[imaging]
    grid = _grid(chosen, header)
    placed = _placed(chosen, header, grid)
    stack = assembled(_lines(stored, chosen, imaging, placed.rank), grid, request)
    noise, said = _noise(stored, heads, grid.n_coils)
    kept = (*_kept(header.encoded, header.reconstructed), 1)
    wanted = (kept[2], kept[1]) if grid.three_dimensional else (kept[0], kept[1])
    facts: dict[str, JSON] = {
        "n_averages": stack.n_averages,
        "n_noise_samples": 0 if noise is None else noise.shape[1],
        "three_dimensional": grid.three_dimensional,
        "field_strength": header.field_strength,
    }
    return Acquired(
        data=stack.data,
        n_slices=grid.shape[0],
        first=stack.first,
        format="ISMRMRD",
        affine=placed.affine,
        places=stack.places,
        noise=noise,
        image_shape=None if wanted == grid.shape[1:] else wanted,
        contrast=contrast_of(path.name) or contrast_of(header.protocol),
        facts=facts,
        warnings=(*notes, *placed.warnings, *stack.warnings, *said),
    )


def _group(keys: dict[str, set[str]]) -> str | None:
    fitting = sorted(name for name, inside in keys.items() if {"data", "xml"} <= inside)
    return "dataset" if "dataset" in fitting else next(iter(fitting), None)


def _xml(stored: Any) -> bytes:
    content = np.asarray(stored[()]).reshape(-1)
    first = content[0] if len(content) else b""
    return first.encode() if isinstance(first, str) else bytes(first)


def _refuse_trajectory(header: Header) -> list[str]:
    kind = header.trajectory.lower()
    if kind == "epi":
        return ["EPI: neither ramp sampling nor the shift between odd and even lines is corrected"]
    if kind != "cartesian":
        raise BadKSpace(f"the trajectory is {kind!r}: only Cartesian k-space is read")
    return []


def _heads(stored: Any, path: Path) -> Heads:
    """The headers of all acquisitions, once their claims fit the file."""
    if stored.dtype.names is None or not {"head", "data"} <= set(stored.dtype.names):
        raise BadKSpace("the acquisitions have no head and data: not an ISMRMRD file")
    heads = np.asarray(stored["head"])
    claimed = 8 * int(
        (heads["number_of_samples"].astype(np.int64) * heads["active_channels"]).sum()
    )
    size = path.stat().st_size
    if claimed > size:
        raise BadKSpace(f"headers ask {readable(claimed)}; file has {readable(size)}: not k-space")
    return heads


def _imaging(heads: Heads) -> Indices:
    aside = _flag(heads, NOISE) | (heads["encoding_space_ref"] != 0)
    for number in _NO_IMAGE:
        aside |= _flag(heads, number)
    # Lines that calibrate alone may have another contrast; those that do both belong here.
    aside |= _flag(heads, CALIBRATION) & ~_flag(heads, CALIBRATION_AND_IMAGING)
    return np.flatnonzero(~aside)


def _flag(heads: Heads, number: int) -> npt.NDArray[np.bool_]:
    return np.asarray((heads["flags"] >> np.uint64(number - 1)) & np.uint64(1) != 0)


def _grid(heads: Heads, header: Header) -> Grid:
    columns, lines, partitions = header.encoded.matrix
    centre_1 = header.step_1.centre if header.step_1 else lines // 2
    centre_2 = header.step_2.centre if header.step_2 else partitions // 2
    return Grid(
        n_columns=columns,
        n_lines=lines,
        n_partitions=partitions,
        centre_line=centre_1,
        centre_partition=centre_2,
        n_coils=int(heads["active_channels"][0]),
        n_slices=len(np.unique(heads["idx"]["slice"])),
        kept_columns=_kept(header.encoded, header.reconstructed)[0],
    )


def _kept(encoded: Space, reconstructed: Space) -> tuple[int, int, int]:
    """How many voxels the image keeps of the encoded grid: those in its field of view."""
    if encoded.fov is None or reconstructed.fov is None:
        pairs = zip(encoded.matrix, reconstructed.matrix, strict=True)
        x, y, z = (min(pair) for pair in pairs)
        return x, y, z
    whole = zip(encoded.matrix, encoded.fov, reconstructed.fov, strict=True)
    x, y, z = (max(1, min(side, round(side * small / large))) for side, large, small in whole)
    return x, y, z


def _lines(stored: Any, heads: Heads, rows: Indices, rank: dict[int, int]) -> Lines:
    counters = heads["idx"]
    reverse = _flag(heads, REVERSE)
    before, behind = heads["discard_pre"].astype(int), heads["discard_post"].astype(int)

    def samples(chosen: Indices) -> Iterator[npt.NDArray[np.complex64]]:
        for index, readout in zip(chosen, _readouts(stored, heads, rows, chosen), strict=True):
            yield readout[:, before[index] : readout.shape[1] - behind[index]]

    # A reversed readout is turned round, and what was discarded behind then stands before.
    left = np.where(reverse, behind, before)
    return Lines(
        slice=np.array([rank[int(counter)] for counter in counters["slice"]]),
        line=counters["kspace_encode_step_1"].astype(np.int64),
        partition=counters["kspace_encode_step_2"].astype(np.int64),
        centre=heads["center_sample"].astype(np.int64) - left,
        reverse=reverse,
        volume=np.stack([counters[name].astype(np.int64) for name in _VOLUME], -1),
        samples=samples,
    )


def _readouts(
    stored: Any, heads: Heads, rows: Indices, chosen: Indices
) -> Iterator[npt.NDArray[np.complex64]]:
    """(coil, sample) of the chosen acquisitions; neighbours in the file are read together."""
    start = 0
    while start < len(chosen):
        block = chosen[start : start + BLOCK]
        straight = np.flatnonzero(np.diff(rows[block]) != 1)
        block = block[: int(straight[0]) + 1] if len(straight) else block
        values = stored["data", int(rows[block[0]]) : int(rows[block[-1]]) + 1]
        for index, value in zip(block, values, strict=True):
            yield _readout(value, heads[index])
        start += len(block)


def _readout(value: Any, head: Any) -> npt.NDArray[np.complex64]:
    n_coils, n_samples = int(head["active_channels"]), int(head["number_of_samples"])
    pairs = np.ascontiguousarray(value, dtype=np.float32)
    if pairs.size != 2 * n_coils * n_samples:
        raise BadKSpace(
            f"an acquisition has {pairs.size:,} numbers, its header says "
            f"{2 * n_coils * n_samples:,}: the file is damaged"
        )
    return pairs.view(np.complex64).reshape(n_coils, n_samples)


def _noise(
    stored: Any, heads: Heads, n_coils: int
) -> tuple[npt.NDArray[np.complex64] | None, list[str]]:
    found = np.flatnonzero(_flag(heads, NOISE))
    if not len(found):
        return None, []
    readouts = list(_readouts(stored, heads[found], found, np.arange(len(found))))
    if any(len(readout) != n_coils for readout in readouts):
        return None, ["the noise scan has other coils than the image: it was not used"]
    return np.concatenate(readouts, axis=1), []


def _placed(heads: Heads, header: Header, grid: Grid) -> _Placed:
    counters, where = np.unique(heads["idx"]["slice"], return_index=True)
    first = heads[where]
    plain = {int(counter): place for place, counter in enumerate(counters)}
    sizes, notes = header.encoded.sizes, []
    if sizes is None:
        sizes, notes = (1.0, 1.0, 1.0), [NO_SIZE]
    read, phase, through = (
        first[name].astype(float) * LPS_TO_RAS for name in ("read_dir", "phase_dir", "slice_dir")
    )
    positions = first["position"].astype(float) * LPS_TO_RAS
    directions = np.stack([read[0], phase[0], through[0]])
    if not (_orthonormal(directions) and np.isfinite(positions).all()):
        side = (sizes[0], sizes[2], sizes[1]) if grid.three_dimensional else (sizes[2], *sizes[:2])
        return _Placed(plain, unplaced(grid.shape, side), [*notes, NO_ORIENTATION])
    if not np.allclose(through, through[0], atol=1e-3):
        raise BadKSpace("the slices lie in different planes: give a file with one orientation")
    middle = [side // 2 for side in grid.shape]
    if grid.three_dimensional:
        axes, spacing = (read[0], through[0], phase[0]), (sizes[0], sizes[2], sizes[1])
        return _Placed(plain, affine_around(positions[0], axes, spacing, middle), notes)
    order, normal, distance, odd = stack_of(positions, through[0], sizes[2])
    rank = {int(counters[counter]): place for place, counter in enumerate(order)}
    axes, spacing = (normal, read[0], phase[0]), (distance, sizes[0], sizes[1])
    affine = affine_around(positions[order[0]], axes, spacing, [0, *middle[1:]])
    return _Placed(rank, affine, [*notes, *odd])


def _orthonormal(directions: npt.NDArray[np.float64]) -> bool:
    return bool(np.allclose(directions @ directions.T, np.eye(3), atol=1e-2))
