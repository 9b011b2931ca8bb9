"""Receive coils that never were: sensitivities of loops and of rods around a head.

The sensitivity is the field that a unit current would make, by reciprocity its component
``B_x - i B_y`` across a main field along z: Hoult, Concepts Magn. Reson. 12(4), 2000,
doi:10.1002/1099-0534(2000)12:4<173::AID-CMR1>3.0.CO;2-Q.  Wavelengths are taken to be long.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool
from torch import Tensor

from isocenter.data.shapes import Maps5
from isocenter.errors import UsageError
from isocenter.ops._kernels_loops import transverse_fields
from isocenter.ops._threads import in_threads

__all__ = [
    "Loops",
    "biot_savart_maps",
    "birdcage_maps",
    "head_array",
    "loop_fields",
    "loop_maps",
]

Numbers = npt.NDArray[np.float64]

DISTANCE = 1.3
"""Of the loops from the middle of the head, over the head's half size."""
OVERLAP = 1.15
"""Loop diameter over the distance of neighbours."""
MOST_IN_A_RING = 8
RING_SPAN = 0.6
"""The outer rings lie this far from the middle, over the head's half size."""
WIRE = 0.05
"""Thickness of the wire over the loop's radius: nearer than this the field grows no further."""
TINY = 1e-30


@dataclass(frozen=True, eq=False)
class Loops:
    """Circular loops of wire."""

    centres: Numbers
    """(coil, 3), world position in mm."""
    normals: Numbers
    """(coil, 3), of length 1."""
    radii: Numbers
    """(coil,), mm."""


def biot_savart_maps(
    n_coils: int,
    positions: Numbers,
    *,
    rng: torch.Generator,
    jitter: float = 0.1,
    support: Bool[Tensor, "slice y x"] | None = None,
) -> Maps5:
    """Sensitivities of an array of loops around the box that ``positions`` fill.

    Args:
        n_coils: At least 1.
        positions: (slice, y, x, 3), world in mm, the main field along the last coordinate.
        rng: Source of every draw.
        jitter: See :func:`head_array`.
        support: See :func:`loop_maps`.

    Returns:
        complex64 (slice, 1, coil, y, x).
    """
    low, high = positions.min((0, 1, 2)), positions.max((0, 1, 2))
    loops = head_array(n_coils, (low + high) / 2, (high - low) / 2, rng=rng, jitter=jitter)
    return loop_maps(loops, positions, support=support)


def head_array(
    n_coils: int, centre: Numbers, half: Numbers, *, rng: torch.Generator, jitter: float = 0.1
) -> Loops:
    """Loops on an elliptic cylinder around a head, facing it, in rings of at most 8 or so.

    Args:
        n_coils: At least 1; above 8 there are two rings, above 16 three, with the loops of
            one ring over the gaps of the next.
        centre: (3,), middle of the head, world in mm.
        half: (3,), half of the head's size in mm; a thin slice is taken for a part of a head.
        rng: Source of every draw.
        jitter: Spread of every loop's angle, height, distance and size, over the spacing of
            loops or over itself; with more than 0 the whole array is turned by a random angle.

    Raises:
        UsageError: No coil.
    """
    if n_coils < 1:
        raise UsageError(f"an array has at least 1 coil; got {n_coils}")
    half = np.maximum(half, 0.5 * half.max())
    ring, place, in_ring = _rings(n_coils)
    turn = 2 * math.pi * float(torch.rand(1, dtype=torch.float64, generator=rng))
    shaken = jitter * torch.randn((4, n_coils), dtype=torch.float64, generator=rng).clamp(-2, 2)
    by_angle, by_height, by_distance, by_size = shaken.numpy()
    spacing = 2 * math.pi / in_ring
    angle = (turn if jitter else 0.0) + spacing * (place + ring / 2 + by_angle)
    distance = DISTANCE * (1 + by_distance.clip(-0.15))
    n_rings = int(ring.max()) + 1
    height = RING_SPAN * (2 * ring / (n_rings - 1) - 1 if n_rings > 1 else ring)
    outward = np.stack([np.cos(angle), np.sin(angle), np.zeros(n_coils)], 1)
    offset = outward * (half * distance[:, None])
    offset[:, 2] = half[2] * (height + by_height)
    normals = outward / half
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    radii = OVERLAP / 2 * spacing * DISTANCE * half[:2].mean() * (1 + by_size)
    return Loops(centre + offset, normals, np.minimum(radii, half[:2].mean()))


def _rings(n_coils: int) -> tuple[Numbers, Numbers, Numbers]:
    """Of every coil: which ring, which place in it, and how many are there."""
    n_rings = min(3, math.ceil(n_coils / MOST_IN_A_RING))
    parts = np.array_split(np.arange(n_coils), n_rings)
    ring = np.concatenate([np.full(len(part), float(i)) for i, part in enumerate(parts)])
    place = np.concatenate([part - part[0] for part in parts]).astype(float)
    in_ring = np.concatenate([np.full(len(part), float(len(part))) for part in parts])
    return ring, place, in_ring


def loop_maps(
    loops: Loops, positions: Numbers, *, support: Bool[Tensor, "slice y x"] | None = None
) -> Maps5:
    """Sensitivities whose squared magnitudes sum to 1 over the coils.

    Args:
        loops: Where the wires are.
        positions: (slice, y, x, 3), world in mm, the main field along the last coordinate.
        support: Where the maps are not 0; everywhere if not given.

    Returns:
        complex64 (slice, 1, coil, y, x).
    """
    fields = torch.from_numpy(loop_fields(loops, positions.reshape(-1, 3)))
    maps = fields.view(len(loops.radii), *positions.shape[:3]).transpose(0, 1)
    return _normalised(maps, support)


def loop_fields(loops: Loops, points: Numbers) -> npt.NDArray[np.complex128]:
    """``B_x - i B_y`` of a current in each loop, in closed form.

    Simpson et al., "Simple analytic expressions for the magnetic field of a circular current
    loop", NASA/TM-2013-217919, 2001; the current is such that ``mu_0 I / pi`` is 1.

    Args:
        loops: Where the wires are.
        points: (n, 3), world in mm.

    Returns:
        (coil, n), per mm.
    """
    fields = np.empty((len(loops.radii), len(points)), np.complex128)
    points = np.ascontiguousarray(points)

    def work(start: int, stop: int) -> None:
        wires = loops.centres, loops.normals, loops.radii, WIRE
        transverse_fields(points, *wires, fields, start, stop)

    in_threads(work, len(points))
    return fields


def birdcage_maps(
    n_coils: int,
    shape: tuple[int, int],
    *,
    distance: float = 1.5,
    support: Bool[Tensor, "slice y x"] | None = None,
) -> Maps5:
    """Sensitivities of straight rods along the main field, evenly around one slice.

    The field of a rod falls with the distance ``w = (x - x_c) + i (y - y_c)``: the sensitivity
    is ``1 / w``, turned so that all rods look alike from the middle.

    Args:
        n_coils: At least 1.
        shape: Rows and columns.
        distance: Of the rods from the middle, over half of the field of view, more than 1.
        support: One slice; where the maps are not 0.

    Returns:
        complex64 (1, 1, coil, y, x); the squared magnitudes sum to 1.

    Raises:
        UsageError: No coil, or rods within the image.
    """
    if n_coils < 1 or distance <= 1:
        raise UsageError(
            f"a birdcage has at least 1 rod outside of the image; got {n_coils} rods at "
            f"{distance:g} of half the field of view"
        )
    y, x = ((torch.arange(n, dtype=torch.float64) - n // 2) / (n / 2) for n in shape)
    place = torch.complex(*torch.broadcast_tensors(x, y[:, None]))
    angle = 2 * math.pi / n_coils * torch.arange(n_coils, dtype=torch.float64)
    rods = torch.polar(torch.full_like(angle, distance), angle)[:, None, None]
    return _normalised((rods / (place - rods))[None], support)


def _normalised(maps: Tensor, support: Tensor | None) -> Maps5:
    """(slice, coil, y, x) over its root sum of squares, one set, nothing outside of support."""
    maps = maps.to(torch.complex64)
    power = torch.view_as_real(maps).square().sum((1, 4)).clamp_min(TINY)
    gain = power.rsqrt() if support is None else power.rsqrt() * support
    return (maps * gain[:, None])[:, None].contiguous()
