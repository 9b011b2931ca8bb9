"""What the protocol of Siemens raw data says of matrix, field of view and place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isocenter.data.io._geometry import Affine
from isocenter.data.io.kspace._geometry import (
    LPS_TO_RAS,
    NO_ORIENTATION,
    NO_SIZE,
    affine_around,
    stack_of,
    unplaced,
)
from isocenter.data.io.kspace._lines import Grid
from isocenter.errors import BadKSpace

__all__ = ["Protocol", "Stacked", "placed", "protocol_of"]

_CARTESIAN = 1
_THREE_DIMENSIONAL = 4


@dataclass(frozen=True)
class Protocol:
    """Numbers of one measurement."""

    name: str
    base_resolution: int
    """Columns of the image along the readout."""
    n_columns: int
    """Samples of a full readout."""
    n_lines: int
    n_partitions: int
    fov: tuple[float, float, float] | None
    """mm: readout without oversampling, phase encode and slab or slice without oversampling."""
    phase_oversampling: float
    """Share of the lines that only enlarge the field of view."""
    slice_oversampling: float
    field_strength: float | None

    def image_shape(self, grid: Grid) -> tuple[int, int]:
        """Rows and columns without what oversampling added."""
        columns = round(grid.n_lines / (1 + self.phase_oversampling))
        if grid.three_dimensional:
            return round(grid.n_partitions / (1 + self.slice_oversampling)), columns
        return grid.kept_columns, columns

    def sizes(self, grid: Grid) -> tuple[float, float, float] | None:
        """Voxel size in mm along readout, phase encode and slice."""
        if self.fov is None:
            return None
        readout, phase, through = self.fov
        thick = through * (1 + self.slice_oversampling) / grid.n_partitions
        return (
            readout / self.base_resolution,
            phase * (1 + self.phase_oversampling) / grid.n_lines,
            thick if grid.three_dimensional else through,
        )


@dataclass(frozen=True)
class Stacked:
    """Order of the slices and the affine of the stack."""

    rank: dict[int, int]
    """From a slice's counter to its place along the normal."""
    affine: Affine
    warnings: tuple[str, ...]


def protocol_of(header: Mapping[str, Any]) -> Protocol:
    """The numbers, from the parsed header.

    Raises:
        BadKSpace: Not Cartesian, or without a matrix.
    """
    lines, meas = header["MeasYaps"]["sKSpace"], header.get("Meas", {})
    trajectory = int(_number(lines.get("ucTrajectory")) or _CARTESIAN)
    if trajectory != _CARTESIAN:
        raise BadKSpace(f"the trajectory has number {trajectory}: only Cartesian k-space is read")
    base = int(_number(lines.get("lBaseResolution")) or 0)
    if base < 1:
        raise BadKSpace("the protocol has no base resolution: export the raw data again")
    solid = int(_number(lines.get("ucDimension")) or 0) == _THREE_DIMENSIONAL
    oversampling = _number(meas.get("flReadoutOSFactor")) or 2.0
    n_lines = _number(meas.get("iPEFTLength")) or _number(lines.get("lPhaseEncodingLines")) or 1
    n_partitions = _number(meas.get("i3DFTLength")) or _number(lines.get("lPartitions")) or 1
    return Protocol(
        name=str(meas.get("tProtocolName", "")),
        base_resolution=base,
        n_columns=round(base * oversampling),
        n_lines=int(n_lines),
        n_partitions=int(n_partitions) if solid else 1,
        fov=_field_of_view(header["MeasYaps"]),
        phase_oversampling=_number(lines.get("dPhaseOversamplingForDialog")) or 0.0,
        slice_oversampling=_number(lines.get("dSliceOversamplingForDialog")) or 0.0,
        field_strength=_number(header.get("Dicom", {}).get("flMagneticFieldStrength")),
    )


def placed(blocks: list[Any], protocol: Protocol, grid: Grid) -> Stacked:
    """Where the slices lie, from the position and the rotation in the headers of their lines.

    Args:
        blocks: Imaging blocks of twixtools.
        protocol: Their protocol.
        grid: Their grid.
    """
    seen = {int(block.mdh.Counter.Sli): block.mdh.SliceData for block in reversed(blocks)}
    counters = sorted(seen)
    positions = np.array([_vector(seen[counter].SlicePos) for counter in counters])
    rotation = _rotation(np.array(seen[counters[0]].Quaternion, dtype=float))
    sizes = protocol.sizes(grid)
    notes = () if sizes else (NO_SIZE,)
    readout, phase, through = sizes or (1.0, 1.0, 1.0)
    spacing = (readout, through, phase) if grid.three_dimensional else (through, readout, phase)
    plain = {counter: place for place, counter in enumerate(counters)}
    if rotation is None or not np.isfinite(positions).all():
        return Stacked(plain, unplaced(grid.shape, spacing), (*notes, NO_ORIENTATION))
    # Phase and readout run against the first two columns of the rotation.
    along_phase, along_read, normal = (
        LPS_TO_RAS * sign * rotation[:, axis] for axis, sign in ((0, -1), (1, -1), (2, 1))
    )
    middle = [side // 2 for side in grid.shape]
    if grid.three_dimensional:
        axes = (along_read, normal, along_phase)
        return Stacked(plain, affine_around(positions[0], axes, spacing, middle), notes)
    order, normal, distance, odd = stack_of(positions, normal, through)
    rank = {counters[counter]: place for place, counter in enumerate(order)}
    axes = (normal, along_read, along_phase)
    spacing = (distance, readout, phase)
    affine = affine_around(positions[order[0]], axes, spacing, [0, *middle[1:]])
    return Stacked(rank, affine, (*notes, *odd))


def _field_of_view(protocol: Mapping[str, Any]) -> tuple[float, float, float] | None:
    try:
        first = protocol["sSliceArray"]["asSlice"][0]
        lengths = [_number(first.get(f"d{n}")) for n in ("ReadoutFOV", "PhaseFOV", "Thickness")]
    except (LookupError, AttributeError, TypeError):
        return None
    readout, phase, thickness = (length or 0.0 for length in lengths)
    return (readout, phase, thickness) if min(readout, phase, thickness) > 0 else None


def _vector(position: Any) -> tuple[float, float, float]:
    """World position in mm, RAS+."""
    x, y, z = LPS_TO_RAS * [position.Sag, position.Cor, position.Tra]
    return float(x), float(y), float(z)


def _rotation(quaternion: Any) -> Any:
    """Rotation matrix of a quaternion whose scalar stands first; ``None`` if it is none."""
    if quaternion.shape != (4,) or not abs(np.linalg.norm(quaternion) - 1) < 1e-2:
        return None
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None
