"""``acquire``: from a scan to the k-space that a scanner with several coils would measure."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Complex64, Float32
from torch import Tensor

from isocenter.data.kspace import KSpace, Mask
from isocenter.data.random import child, generator
from isocenter.data.shapes import Affine44, Mask3
from isocenter.data.step import Step
from isocenter.data.volume import Volume
from isocenter.errors import UnknownName, UsageError
from isocenter.ops.fourier import fft
from isocenter.ops.regions import head_mask, head_scale
from isocenter.ops.sampling import sampling_mask
from isocenter.ops.simulated_coils import Loops, head_array, loop_maps
from isocenter.ops.simulated_phase import draw_phase, phase_slices

__all__ = ["acquire", "apply", "reference"]

ORDERS = {"axial": (2, 1, 0), "coronal": (1, 2, 0), "sagittal": (0, 2, 1)}
"""Axes of the scan that become slice, row (readout) and column (phase encoding)."""
THICKER = 1.001
"""Voxels that differ by less are as long as each other."""
PLANE = (-2, -1)

Numbers = npt.NDArray[np.float64]


def acquire(
    scan: Volume,
    *,
    mask: str = "uniform",
    acceleration: float = 4.0,
    acs: int = 24,
    n_coils: int = 8,
    noise: float = 0.01,
    plane: str | None = None,
    grid: tuple[int, int] | None = None,
    slices: tuple[int, int] | None = None,
    phase: bool = True,
    keep_maps: bool = False,
    rng: torch.Generator,
) -> KSpace:
    """Undersampled k-space of several coils, simulated from a scan, slice by slice.

    The scan's magnitude gets a smooth random phase and is seen by loops around the head
    (Biot-Savart) whose sensitivities are scaled to a root sum of squares of 1; every coil's
    image is transformed, gets white complex noise, and the mask keeps some of it.

    Args:
        scan: Any scan; left as it is.
        mask: One of :data:`isocenter.ops.sampling.MASK_KINDS`, the same for all slices.
        acceleration: All places over the measured ones, at least 1.
        acs: Fully measured columns around the centre.
        n_coils: At least 1.
        noise: Standard deviation of the real and of the imaginary part of every sample of
            every coil, over the scan's brightness (:func:`isocenter.ops.regions.head_scale`):
            with all of k-space 0.01 is a signal-to-noise ratio of 100 in the brightest tissue.
        plane: ``"axial"``, ``"coronal"`` or ``"sagittal"``; where not given, across the axis
            with the largest voxels, axial if all are as large.
        grid: Rows and columns of k-space, at least the scan's: the image lies in the middle of
            zeros, as in a larger field of view. The scan's own where not given.
        slices: First slice and the one after the last; all where not given. A slice does not
            depend on which others are acquired.
        phase: Whether the image has a phase, else it is real and not negative.
        keep_maps: Whether the true sensitivities go along; without them a method has to find
            its own, as with a real scanner.
        rng: Source of every draw.

    Returns:
        K-space in the scan's units and place; :func:`apply` with the parameters of its last
        history step gives the same again, bit for bit.

    Raises:
        UnknownName: No such plane or kind of mask.
        UsageError: Numbers that do not fit the scan or each other.
    """
    if not (math.isfinite(noise) and noise >= 0):
        raise UsageError(f"noise is a share of the scan's brightness, 0 or more; got {noise:g}")
    plane = _thickest(scan) if plane is None else plane
    if plane not in ORDERS:
        raise UnknownName("plane", plane, ORDERS)
    n_slices, *own = (scan.shape[axis] for axis in ORDERS[plane])
    head = head_mask(scan.data)
    stream = int(torch.randint(1 << 62, (1,), generator=rng))
    root = generator(stream)
    params: dict[str, Any] = {
        "mask": mask,
        "acceleration": acceleration,
        "acs": acs,
        "sigma": noise * head_scale(scan.data, head),
        "plane": plane,
        "grid": _checked_grid(grid, own),
        "slices": _checked_slices(slices, n_slices),
        "coils": _draw_coils(scan, head, n_coils, child(root, "coils")),
        "phase": draw_phase(rng=child(root, "phase")).tolist() if phase else None,
        "keep_maps": keep_maps,
        "stream": stream,
    }
    step = Step("acquire", params, seed=rng.initial_seed())
    return replace(apply(scan, params), history=(*scan.history, step))


def apply(scan: Volume, params: Mapping[str, Any]) -> KSpace:
    """The k-space that ``params`` describe.

    Args:
        scan: The scan that they were drawn for.
        params: Of the step ``"acquire"`` of a history.

    Returns:
        Without a history: the caller knows which step this was.
    """
    root = generator(params["stream"])
    rows, columns = params["grid"]
    places = sampling_mask(
        params["mask"],
        (rows, columns),
        acceleration=params["acceleration"],
        acs=params["acs"],
        rng=child(root, "mask"),
    )
    affine, shape = _stack_affine(scan, params), _stack_shape(params)
    images = _images(scan, affine, shape, params)
    loops = Loops(**{name: np.array(values) for name, values in params["coils"].items()})
    measured = torch.empty((shape[0], len(loops.radii), rows, columns), dtype=torch.complex64)
    kept = []
    for index, image in enumerate(images):
        maps = loop_maps(loops, _positions(affine, index, rows, columns))
        number = params["slices"][0] + index
        noise = _noise(measured.shape[1:], params["sigma"], child(root, "noise", number))
        measured[index] = (fft(maps[0, 0] * image, PLANE) + noise) * places
        kept += [maps] if params["keep_maps"] else []
    return KSpace(
        measured.to(scan.data.device),
        Mask(places[None].to(scan.data.device)),
        affine,
        maps=torch.cat(kept).to(scan.data.device) if kept else None,
        contrast=scan.contrast,
    )


def reference(scan: Volume, kspace: KSpace) -> Float32[Tensor, "slice y x"]:
    """What a perfect reconstruction of every place without noise would show.

    Args:
        scan: What ``kspace`` was acquired from.
        kspace: From :func:`acquire`, or some slices of it.

    Returns:
        Magnitude on the grid of ``kspace``, in the scan's units.

    Raises:
        UsageError: ``kspace`` does not lie on the voxels of ``scan``.
    """
    return _resliced(scan, kspace.affine, (kspace.n_slices, *kspace.grid))


def _thickest(scan: Volume) -> str:
    """The plane across the thickest voxels, or across the only slice."""
    thickness = [
        size if n > 1 else math.inf for n, size in zip(scan.shape, scan.spacing, strict=True)
    ]
    by_axis = {order[0]: plane for plane, order in ORDERS.items()}
    largest = max(thickness[:2])
    return by_axis[2 if thickness[2] * THICKER >= largest else thickness.index(largest)]


def _checked_grid(grid: tuple[int, int] | None, own: list[int]) -> list[int]:
    if grid is None:
        return own
    if grid[0] < own[0] or grid[1] < own[1]:
        raise UsageError(
            f"a grid of {grid[0]} x {grid[1]} does not hold slices of {own[0]} x {own[1]}: "
            "give at least as many rows and columns"
        )
    return list(grid)


def _checked_slices(slices: tuple[int, int] | None, n_slices: int) -> list[int]:
    first, stop = slices or (0, n_slices)
    if not 0 <= first < stop <= n_slices:
        raise UsageError(
            f"slices {first} to {stop} are not among the {n_slices}: give the first and the one "
            "after the last"
        )
    return [first, stop]


def _draw_coils(scan: Volume, head: Mask3, n_coils: int, rng: torch.Generator) -> dict[str, Any]:
    """Loops around the head, or around the whole image where no head stands out."""
    at = (head if bool(head.any()) else torch.ones_like(head)).nonzero().cpu()
    low, high = at.amin(0).double().numpy() - 0.5, at.amax(0).double().numpy() + 0.5
    centre = scan.affine[:3, :3] @ ((low + high) / 2) + scan.affine[:3, 3]
    half = np.abs(scan.affine[:3, :3]) @ ((high - low) / 2)
    loops = head_array(n_coils, centre, half, rng=rng)
    return {name: getattr(loops, name).tolist() for name in ("centres", "normals", "radii")}


def _stack_shape(params: Mapping[str, Any]) -> tuple[int, int, int]:
    first, stop = params["slices"]
    rows, columns = params["grid"]
    return stop - first, rows, columns


def _stack_affine(scan: Volume, params: Mapping[str, Any]) -> Affine44:
    """Index (slice, row, column) to world; the centres of image and grid are the same voxel."""
    order = ORDERS[params["plane"]]
    own = [scan.shape[axis] for axis in order[1:]]
    affine: Affine44 = scan.affine[:, [*order, 3]].copy()
    before = [grid // 2 - n // 2 for grid, n in zip(params["grid"], own, strict=True)]
    affine[:3, 3] += affine[:3, :3] @ [params["slices"][0], -before[0], -before[1]]
    return affine


def _images(
    scan: Volume, affine: Affine44, shape: tuple[int, int, int], params: Mapping[str, Any]
) -> Complex64[Tensor, "slice y x"]:
    magnitude = _resliced(scan, affine, shape).cpu()
    if params["phase"] is None:
        return magnitude.to(torch.complex64)
    n_slices = scan.shape[ORDERS[params["plane"]][0]]
    knots = torch.tensor(params["phase"], dtype=torch.float64)
    angle = phase_slices(knots, (n_slices, *shape[1:]), slice(*params["slices"]))
    return torch.polar(magnitude, angle)


def _resliced(
    scan: Volume, affine: Affine44, shape: tuple[int, int, int]
) -> Float32[Tensor, "slice y x"]:
    """Magnitudes of the scan's voxels at the places of a stack, 0 where it has none."""
    from_stack = np.linalg.inv(scan.affine) @ affine
    order = np.abs(from_stack[:3, :3]).argmax(0)
    turn, offset = np.eye(3)[:, order], np.rint(from_stack[:3, 3])
    whole = np.allclose(from_stack[:3, :3], turn, atol=1e-3)
    if not whole or not np.allclose(from_stack[:3, 3], offset, atol=1e-2):
        raise UsageError(
            "k-space does not lie on the voxels of this scan: give the scan that it came from"
        )
    source = scan.data.abs().permute(*order.tolist())
    stack = source.new_zeros(shape)
    inner, outer = [], []
    for start, n, wanted in zip(offset[order].astype(int), source.shape, shape, strict=True):
        first, stop = max(0, start), min(n, start + wanted)
        inner.append(slice(first, max(first, stop)))
        outer.append(slice(first - start, max(first, stop) - start))
    stack[tuple(outer)] = source[tuple(inner)]
    return stack


def _positions(affine: Affine44, index: int, rows: int, columns: int) -> Numbers:
    """World positions (1, y, x, 3) of one slice in mm."""
    y, x = np.arange(rows)[:, None, None], np.arange(columns)[:, None]
    origin = affine[:3, 3] + index * affine[:3, 0]
    positions: Numbers = origin + y * affine[:3, 1] + x * affine[:3, 2]
    return positions[None]


def _noise(shape: torch.Size, sigma: float, rng: torch.Generator) -> Complex64[Tensor, "coil y x"]:
    parts = torch.randn((*shape, 2), generator=rng)
    return torch.view_as_complex(sigma * parts)
