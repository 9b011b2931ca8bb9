"""Scans, tissues and label maps of some people in one file, ready to cut crops from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import safetensors.torch
import torch
from jaxtyping import Float16, Int16, UInt8
from torch import Tensor

from isocenter.data.atomic import write_bytes
from isocenter.data.io import read
from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume
from isocenter.datasets.collection import Kind, Source
from isocenter.errors import BadVolume
from isocenter.ops.regions import head_scale
from isocenter.ops.thick_slices import splined
from isocenter.ops.tissue import tissue_maps

__all__ = ["SHOWN", "PackedScan", "pack_scans"]

COARSER = 1.7
"""An axis whose voxels are so many times the finest side is no axis to make thick slices along."""
BRIGHTEST = 4.0
SHOWN = 0.02
"""Brightness from which a voxel of a stripped brain is no air."""
CERTAIN = 230
"""Of 255: from which a voxel counts as pure."""


@dataclass(frozen=True, eq=False)
class PackedScan:
    """One scan, 1 = the brightness of its head, or one label map."""

    person: str
    kind: Kind
    values: Float16[Tensor, "x y z"] | Int16[Tensor, "x y z"]
    """Labels when of kind ``labels``."""
    wm: UInt8[Tensor, "x y z"] | None
    """White matter, 255 = certain; of brains on nearly cubic voxels."""
    gm: UInt8[Tensor, "x y z"] | None
    """Grey matter."""
    spacing: tuple[float, float, float]
    """mm."""
    axes: tuple[int, ...]
    """Along which thick slices can be made."""
    means: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Brightness of white matter, grey matter and fluid, where tissues are known."""


def pack_scans(
    scans: Sequence[Source], file: Path, *, tissue: bool = True, say: Callable[[str], None] = print
) -> list[PackedScan]:
    """Every scan, in the order given; read from ``file`` when they stand there.

    Scans of thick slices are interpolated to nearly cubic voxels.

    Args:
        scans: Clean scans and label maps.
        file: Ends in ``.safetensors``.
        tissue: Whether tissues are found in brains.
        say: Told of each scan that is packed.
    """
    if not file.exists():
        made: dict[str, Tensor] = {}
        for number, source in enumerate(scans):
            say(f"packing {source.path.name}")
            made |= {f"{number}/{key}": value for key, value in _packed(source, tissue).items()}
        write_bytes(file, safetensors.torch.save(made))
    kept = safetensors.torch.load_file(file)
    return [_scan(source, number, kept) for number, source in enumerate(scans)]


def _scan(source: Source, number: int, kept: dict[str, Tensor]) -> PackedScan:
    x, y, z = kept[f"{number}/spacing"].tolist()
    values = kept[f"{number}/values"]
    wm, gm = (kept.get(f"{number}/{name}") for name in ("wm", "gm"))
    axes = tuple(kept[f"{number}/axes"].tolist())
    scan = PackedScan(source.person, source.kind, values, wm, gm, (x, y, z), axes)
    if wm is None or gm is None:
        return scan
    return replace(scan, means=_tissue_means(values, wm, gm))


def _packed(source: Source, tissue: bool) -> dict[str, Tensor]:
    scan = read(source.path)
    axes = torch.tensor([a for a in range(3) if scan.spacing[a] < COARSER * min(scan.spacing)])
    if source.kind == "labels":
        labels = _boxed(scan.data.round().to(torch.int16))
        return {"values": labels, "axes": axes, "spacing": torch.tensor(scan.spacing)}
    data, spacing = _nearly_cubic(scan)
    values = (data / head_scale(data)).clamp(0, BRIGHTEST)
    made = {"values": values.half(), "axes": axes, "spacing": torch.tensor(spacing)}
    if tissue and source.kind == "brain" and source.contrast == "T1w" and len(axes) == 3:
        made |= _tissues(scan)
    return {key: value.contiguous() for key, value in made.items()}


def _tissues(scan: Volume) -> dict[str, Tensor]:
    """White and grey matter; nothing where they cannot be told apart."""
    try:
        maps = tissue_maps(
            scan.data, scan.data > 0, spacing=scan.spacing, contrast=scan.contrast or "T1w"
        )
    except BadVolume:
        return {}
    return {name: (255 * getattr(maps, name)).round().to(torch.uint8) for name in ("wm", "gm")}


def _nearly_cubic(scan: Volume) -> tuple[Image3, tuple[float, float, float]]:
    """Cubic interpolation along axes that are much coarser than the finest."""
    data, sides = scan.data, list(scan.spacing)
    for axis in range(3):
        ratio = round(sides[axis] / min(scan.spacing))
        if sides[axis] >= COARSER * min(scan.spacing):
            data = splined(data, ratio, axis)
            sides[axis] /= ratio
    x, y, z = sides
    return data, (x, y, z)


def _boxed(labels: Tensor) -> Tensor:
    """The part that is no air."""
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        rows = (labels > 0).any(others[1]).any(others[0]).nonzero().flatten()
        labels = labels.narrow(axis, int(rows[0]), int(rows[-1] - rows[0]) + 1)
    return labels.contiguous()


def _tissue_means(values: Tensor, wm: Tensor, gm: Tensor) -> tuple[float, float, float]:
    """Brightness of white matter, grey matter and fluid."""
    values, wm, gm = (one[::2, ::2, ::2] for one in (values, wm, gm))
    csf = (values > SHOWN) & (wm.int() + gm.int() < 255 - CERTAIN)
    masks = (wm >= CERTAIN, gm >= CERTAIN, csf)
    white, grey, fluid = (float(values[m].float().mean()) if bool(m.any()) else 0.5 for m in masks)
    return white, grey, max(fluid, 0.05)
