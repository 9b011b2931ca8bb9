"""Stored numbers: budgets first, then memory, then bytes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isocenter.data.io._loaded import Selection
from isocenter.data.io._stream import LARGEST_EXPANSION, ByteStream, is_compressed
from isocenter.errors import BadVolume, NeedsChoice

__all__ = [
    "Layout",
    "Stored",
    "chosen_volume",
    "read_stored",
    "readable",
    "refuse_impossible",
    "refuse_too_large",
]

BELIEVABLE_EXPANSION = 300
"""Scans shrink 1.5 to 30 times, label maps up to 300; more is a bomb or empty."""
ABSURD = 100
"""A file this many times too short was never cut: its header is wrong."""
HARMLESS = 64 << 20
"""Voxels times 4 bytes below which even a bomb costs little."""


@dataclass(frozen=True)
class Layout:
    """Where the numbers of a file are."""

    shape: tuple[int, int, int]
    n_volumes: int
    dtype: np.dtype[np.generic]
    """Stored type with its byte order."""
    offset: int
    """Bytes before the first voxel."""

    @property
    def volume_bytes(self) -> int:
        """Bytes of one volume."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def end(self) -> int:
        """Bytes up to the last voxel of the last volume."""
        return self.offset + self.n_volumes * self.volume_bytes


@dataclass(frozen=True)
class Stored:
    """One volume as stored, and what was seen of the file on the way."""

    raw: npt.NDArray[np.generic]
    """(x, y, z), stored type."""
    sha256: str
    warnings: tuple[str, ...]


def read_stored(path: Path, layout: Layout, selection: Selection) -> Stored:
    """Read the wanted volume; the whole file is hashed and its checksum verified.

    Raises:
        NeedsChoice: Several volumes and none chosen.
        BadVolume: Too large, too short, damaged.
    """
    refuse_impossible(path, layout)
    refuse_too_large(layout.shape, selection.max_voxels)
    refuse_bomb(path, layout)
    index = chosen_volume(layout.n_volumes, selection.volume)
    with ByteStream(path) as stream:
        before = layout.offset + index * layout.volume_bytes
        _demand(stream.skip(before), before, stream, layout)
        raw = np.empty(layout.shape, layout.dtype, order="F")
        target = raw.reshape(-1, order="F").view(np.uint8).data
        _demand(stream.readinto(target), len(target), stream, layout)
        later = (layout.n_volumes - index - 1) * layout.volume_bytes
        _demand(stream.skip(later), later, stream, layout)
        return Stored(raw, stream.finish(), tuple(stream.warnings))


def chosen_volume(n_volumes: int, wanted: int | None) -> int:
    """Index of the wanted volume.

    Raises:
        NeedsChoice: There are several and none was chosen, or not that many.
    """
    if wanted is None and n_volumes > 1:
        raise NeedsChoice(
            f"{n_volumes} volumes in one file: choose one with --volume 0 to {n_volumes - 1}"
        )
    if wanted is not None and not 0 <= wanted < n_volumes:
        raise NeedsChoice(f"no volume {wanted}: choose 0 to {n_volumes - 1} with --volume")
    return wanted or 0


def refuse_too_large(shape: tuple[int, ...], max_voxels: int) -> None:
    """Refuse an image above the budget, by its header alone."""
    if prod(shape) > max_voxels:
        size = " x ".join(map(str, shape))
        raise BadVolume(
            f"image of {size} voxels is above the budget of {max_voxels:,}: "
            "raise it with --max-voxels"
        )


def readable(n_bytes: int) -> str:
    """Bytes for people: ``41 kB``, ``2.3 EB``."""
    size, units = float(n_bytes), ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    if size >= 1000:
        return "over 1000 EB"
    return (
        f"{size:.0f} {units[0]}" if size >= 10 or units[0] == "bytes" else f"{size:.1f} {units[0]}"
    )


def refuse_impossible(path: Path, layout: Layout) -> None:
    """Refuse a header that asks more than the file can hold, by its size alone.

    Raises:
        BadVolume: It does.
    """
    compressed, size = is_compressed(path), path.stat().st_size
    if layout.end <= size * (LARGEST_EXPANSION if compressed else 1):
        return
    if compressed or layout.end > ABSURD * size:
        raise BadVolume(f"{_asks(layout.end, size)}: fetch it again")
    raise BadVolume(f"data ends early (got {size:,} of {layout.end:,} bytes): fetch it again")


def refuse_bomb(path: Path, layout: Layout) -> None:
    """Refuse a compressed file that would grow as no scan does.

    Raises:
        BadVolume: It would.
    """
    size = path.stat().st_size
    floats = 4 * prod(layout.shape) * layout.n_volumes
    if is_compressed(path) and floats > HARMLESS and layout.end > BELIEVABLE_EXPANSION * size:
        raise BadVolume(f"{_asks(layout.end, size)}: too little for a scan")


def _asks(claimed: int, size: int) -> str:
    return f"header asks {readable(claimed)}; file has {readable(size)}"


def _demand(got: int, wanted: int, stream: ByteStream, layout: Layout) -> None:
    if got == wanted:
        return
    kind = "compressed data" if stream.compressed else "data"
    raise BadVolume(
        f"{kind} ends early (got {stream.passed:,} of {layout.end:,} bytes): fetch it again"
    )
