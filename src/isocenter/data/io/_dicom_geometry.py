"""Slices in order, and the affine that their positions and directions make.

DICOM PS3.3 C.7.6.2.1.1 (equation C.7.6.2.1-1) maps a pixel to the patient, in mm, with x to
the left and y to the back (LPS); the world here is RAS+, so x and y change sign.
Thickness says nothing of the distance of slices, so distances come from positions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.data.io._dicom_frames import Frame
from isocenter.errors import BadVolume

__all__ = ["Placed", "along_normal", "place", "same_place"]

Array = npt.NDArray[np.float64]

SAME_MM = 0.01
"""Slices nearer than this are at one position; headers round to about a micrometre."""
SAME_DIRECTION = 1e-3
UNEVEN = 0.05
"""Part of the slice distance by which distances may differ."""
TOLERATED = 0.01
"""Part of the slices that may be missing one by one: then the rest is read, with a warning."""
SHOWN = 5
"""Positions named in a message."""


@dataclass(frozen=True)
class Placed:
    """Frames in order along the slice normal, and where they are."""

    frames: tuple[Frame, ...]
    affine: Array
    """(4, 4) from (column, row, slice) to world, mm, RAS+."""
    warnings: tuple[str, ...] = ()


def place(frames: Sequence[Frame], voxel_size: tuple[float, float, float] | None = None) -> Placed:
    """Sort the frames of one volume and compute its affine.

    Args:
        frames: All slices of one volume, in any order.
        voxel_size: Distance of columns, rows, slices in mm where the header does not say it.

    Raises:
        BadVolume: Slices are missing, doubled, uneven, of mixed directions or of mixed sizes;
            the message names the positions in mm along the slice normal. Single holes in up
            to one slice of a hundred are a warning that names them instead: no slice is made
            up, and those behind a hole stand one slice distance too near.
    """
    _check_sizes(frames)
    directions = _directions(frames)
    if directions is None:
        return _unplaced(frames, voxel_size)
    row, column = directions[:3], directions[3:]
    normal = np.cross(row, column)
    ordered = sorted(frames, key=lambda frame: _distance(frame, normal))
    warnings = _check_distances(np.array([_distance(frame, normal) for frame in ordered]))
    spacing = _in_plane(ordered, voxel_size, warnings)
    first, step = _first_and_step(ordered, normal, voxel_size, warnings)
    lps = np.column_stack([row * spacing[1], column * spacing[0], step, first])
    affine = np.vstack([np.diag([-1.0, -1.0, 1.0]) @ lps, [0.0, 0.0, 0.0, 1.0]])
    return Placed(tuple(ordered), affine, tuple(warnings))


def along_normal(frame: Frame) -> float | None:
    """Distance of a slice from the isocentre along its own normal, mm."""
    if frame.position is None or frame.orientation is None:
        return None
    normal = np.cross(frame.orientation[:3], frame.orientation[3:])
    return float(np.dot(normal, frame.position))


def same_place(frame: Frame) -> tuple[float, ...]:
    """A key that is equal for frames of one position and direction."""
    place = (*(frame.position or ()), *(frame.orientation or ()))
    return tuple(round(value, 2) + 0.0 for value in place)


def _position(frame: Frame) -> Array:
    return np.array(frame.position, dtype=np.float64)


def _distance(frame: Frame, normal: Array) -> float:
    return float(normal @ _position(frame))


def _check_sizes(frames: Sequence[Frame]) -> None:
    sizes = Counter((frame.file.pixels.columns, frame.file.pixels.rows) for frame in frames)
    if len(sizes) > 1:
        listed = ", ".join(f"{n} of {size[0]} x {size[1]}" for size, n in sizes.most_common())
        raise BadVolume(f"slices have mixed sizes ({listed}): give the slices of one scan")
    spacings = Counter(frame.spacing for frame in frames)
    widest = np.array([spacing for spacing in spacings if spacing is not None])
    if len(spacings) > 1 and (len(widest) < len(spacings) or np.ptp(widest, axis=0).max() > 1e-3):
        raise BadVolume(f"slices have {len(spacings)} pixel spacings: give the slices of one scan")


def _directions(frames: Sequence[Frame]) -> Array | None:
    """Row and column direction of all frames, unit length; ``None`` where a place is missing."""
    if any(frame.orientation is None or frame.position is None for frame in frames):
        return None
    stacked = np.array([frame.orientation for frame in frames], dtype=np.float64)
    if np.abs(stacked - stacked[0]).max() > SAME_DIRECTION:
        raise BadVolume(f"mixed orientations: {_by_direction(frames)}; give the slices of one scan")
    row, column = stacked[0, :3], stacked[0, 3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if min(lengths) < 0.9 or max(lengths) > 1.1 or abs(row @ column) > 0.01:
        raise BadVolume("the image directions are not two unit vectors at a right angle")
    return np.concatenate([row / lengths[0], column / lengths[1]])


def _by_direction(frames: Sequence[Frame]) -> str:
    groups: dict[tuple[float, ...], list[float]] = {}
    for frame in frames:
        key = tuple(round(value, 2) + 0.0 for value in frame.orientation or ())
        groups.setdefault(key, []).append(along_normal(frame) or 0.0)
    largest = sorted(groups.values(), key=len, reverse=True)
    return "; ".join(f"{len(found)} slices at {_listed(found)} mm" for found in largest[:3])


def _check_distances(distances: Array) -> list[str]:
    """Refuse doubled and uneven slices; return what is to be said of missing ones."""
    gaps = np.diff(distances)
    doubled = distances[1:][gaps < SAME_MM]
    if doubled.size:
        stand = "slice stands" if doubled.size == 1 else "slices stand"
        raise BadVolume(
            f"{doubled.size} {stand} at a position that is already taken, at "
            f"{_listed(doubled)} mm along the slice normal: remove the copies"
        )
    return _check_even(distances, gaps) if gaps.size > 1 else []


def _check_even(distances: Array, gaps: Array) -> list[str]:
    usual = float(np.median(gaps))
    counts = np.rint(gaps / usual)
    tolerance = max(2 * SAME_MM, UNEVEN * usual)
    uneven = np.flatnonzero((np.abs(gaps - counts * usual) > tolerance) | (counts < 1))
    if uneven.size:
        first = int(uneven[0])
        raise BadVolume(
            f"slices are unevenly spaced: {gaps.min():.2f} to {gaps.max():.2f} mm, first between "
            f"{distances[first]:.2f} and {distances[first + 1]:.2f} mm; export the scan again"
        )
    holes = np.flatnonzero(counts > 1)
    if not holes.size:
        return []
    missing = _missing(distances, usual, counts, holes)
    if counts.max() > 2 or holes.size > TOLERATED * len(distances):
        raise BadVolume(f"{missing}: copy or export the whole series")
    return [f"{missing}: the slices behind stand {usual:.2f} mm too near for each"]


def _missing(distances: Array, usual: float, counts: Array, holes: npt.NDArray[np.intp]) -> str:
    absent = [
        float(distances[hole] + usual * step)
        for hole in holes[: SHOWN + 1]
        for step in range(1, min(int(counts[hole]), SHOWN + 2))
    ]
    total = int((counts[holes] - 1).sum())
    verb = "slice is missing" if total == 1 else "slices are missing"
    return (
        f"{total} {verb}, at {_listed(absent, total)} mm along the slice normal "
        f"(slices every {usual:.2f} mm)"
    )


def _listed(positions: Sequence[float] | Array, total: int | None = None) -> str:
    ordered = sorted(positions)
    more = (total or len(ordered)) - SHOWN
    named = ", ".join(f"{position:.2f}" for position in ordered[:SHOWN])
    return f"{named} and {more} more" if more > 0 else named


def _first_and_step(
    ordered: Sequence[Frame],
    normal: Array,
    voxel_size: tuple[float, float, float] | None,
    warnings: list[str],
) -> tuple[Array, Array]:
    if len(ordered) == 1:
        return _position(ordered[0]), normal * _thickness(ordered[0], voxel_size, warnings)
    first, step = _fit_line(ordered, normal)
    length = float(np.linalg.norm(step))
    said = ordered[0].gap
    if said is not None and said > 0 and abs(said - length) > UNEVEN * length:
        warnings.append(
            f"the header says {said:.2f} mm between slices, their positions {length:.2f} mm: "
            "positions used"
        )
    return first, step


def _fit_line(ordered: Sequence[Frame], normal: Array) -> tuple[Array, Array]:
    """Place of the first slice and step to the next, mm, LPS.

    The step is the least-squares one, because headers round every position; the line goes
    through the image with the lowest number, where other converters begin as well, so that
    affines agree. Holes count as the slices that they lack.
    """
    positions = np.array([frame.position for frame in ordered], dtype=np.float64)
    gaps = np.diff(positions @ normal)
    number = np.concatenate([[0.0], np.cumsum(np.rint(gaps / np.median(gaps)))])
    centred = number - number.mean()
    step: Array = centred @ positions / (centred @ centred)
    anchor = min(range(len(ordered)), key=lambda index: ordered[index].number)
    first: Array = positions[anchor] - number[anchor] * step
    astray = float(np.linalg.norm(positions - first - number[:, None] * step, axis=1).max())
    if astray > max(2 * SAME_MM, UNEVEN * float(np.linalg.norm(step))):
        raise BadVolume(
            f"slices are shifted by up to {astray:.2f} mm against a straight stack; "
            "export the scan again"
        )
    return first, step


def _thickness(
    frame: Frame, voxel_size: tuple[float, float, float] | None, warnings: list[str]
) -> float:
    for value in (frame.gap, frame.thickness, voxel_size[2] if voxel_size else None):
        if value is not None and value > 0 and np.isfinite(value):
            return value
    warnings.append("slice thickness missing: assumed 1 mm")
    return 1.0


def _in_plane(
    ordered: Sequence[Frame],
    voxel_size: tuple[float, float, float] | None,
    warnings: list[str],
) -> tuple[float, float]:
    """Distance of rows, distance of columns, mm."""
    found = ordered[0].spacing
    if found is not None and min(found) > 0:
        return found[0], found[1]
    if voxel_size is not None:
        return voxel_size[1], voxel_size[0]
    warnings.append("voxel size missing: assumed 1 mm")
    return 1.0, 1.0


def _unplaced(frames: Sequence[Frame], voxel_size: tuple[float, float, float] | None) -> Placed:
    if len(frames) > 1:
        lost = sum(frame.position is None or frame.orientation is None for frame in frames)
        raise BadVolume(f"{lost} of {len(frames)} slices have no position: their order is unknown")
    warnings = ["orientation unknown: left/right not guaranteed"]
    rows, columns = _in_plane(frames, voxel_size, warnings)
    thickness = _thickness(frames[0], voxel_size, warnings)
    return Placed(tuple(frames), np.diag([-columns, -rows, thickness, 1.0]), tuple(warnings))
