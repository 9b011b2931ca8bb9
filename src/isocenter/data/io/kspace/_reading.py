"""``KSpace`` from a file: the reader's arrays, checked, with mask, maps, place and history."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from isocenter.data.io._door import printable
from isocenter.data.io._geometry import checked_affine, spacing_of
from isocenter.data.io.kspace._acquired import Acquired, Request
from isocenter.data.io.kspace._files import load_maps, load_mask
from isocenter.data.io.kspace._geometry import NO_SIZE, affine_around
from isocenter.data.io.kspace._loading import load_kspace
from isocenter.data.io.kspace._places import (
    as_crop,
    cropped,
    fitted,
    measured_places,
    refuse_nonsense,
    truth,
)
from isocenter.data.kspace import KSpace, Mask
from isocenter.data.shapes import Affine44
from isocenter.data.step import JSON, Step
from isocenter.errors import BadKSpace, BadVolume

__all__ = ["read_kspace", "read_mask"]

Given: TypeAlias = str | os.PathLike[str] | Tensor | np.ndarray | None
"""A file, or values at hand."""


def read_kspace(
    path: str | os.PathLike[str],
    *,
    slices: slice | int | None = None,
    mask: Given | Mask = None,
    maps: Given = None,
    crop: str | None = None,
    volume: int | None = None,
    axes: str | None = None,
    voxel_size: tuple[float, float, float] | None = None,
    contrast: str | None = None,
    max_bytes: int = Request.max_bytes,
) -> KSpace:
    """Read k-space: fastMRI and ISMRMRD HDF5, BART, Siemens twix, NumPy, MATLAB 5.

    Three-dimensional Cartesian k-space becomes a stack: its readout is transformed and becomes
    the first axis.

    Args:
        path: The file; for BART either half of the pair.
        slices: One run of slices, or one; nothing of the others is read where the format
            allows it.
        mask: What counts as measured, instead of the file's own mask: a file, or (x,), (y, x)
            or (slice, y, x). Where none is given, what is exactly 0 in all coils was not
            measured. What was never acquired stays unmeasured whatever the mask says.
        maps: Coil sensitivities: a file, or (slice, set, coil, y, x).
        crop: ``"centre"`` cuts mask and k-space to the sides that both have.
        volume: Repetition, echo or phase, where there are several.
        axes: What the axes of a plain array are: one letter of s (slice), c (coil), y
            (readout), x (phase encode), a (average) for each.
        voxel_size: mm along slice, y, x, for files that do not say it.
        contrast: ``"T1w"``, ``"T2w"``, ``"FLAIR"``, ``"PDw"``; else what the file says.
        max_bytes: Larger k-space is refused before it is read.

    Returns:
        complex64 (slice, coil, y, x), centred, arbitrary units; ``history[0]`` holds the
        file's facts and what was noticed.

    Raises:
        BadKSpace: It cannot be used; one sentence says why.
        NeedsChoice: Several repetitions, echoes or phases and none chosen.
        NothingFound: No such file.
        MissingExtra: A Siemens file, and twixtools is not installed.
        UsageError: Slices with a step, axes that do not fit, or an unknown crop.
    """
    path, may_cut = Path(path), as_crop(crop)
    run = slice(slices, slices + 1 or None) if isinstance(slices, int) else slices
    try:
        acquired = load_kspace(path, Request(run, volume, axes, max_bytes))
        kspace = _assembled(acquired, path, mask, maps, may_cut, voxel_size)
    except BadVolume as error:  # the door knows files, whatever is in them
        raise BadKSpace(str(error)) from error
    return replace(kspace, contrast=contrast or kspace.contrast)


def read_mask(path: str | os.PathLike[str]) -> Bool[Tensor, "..."]:
    """Read which places were measured, or are to be.

    Args:
        path: ``.npy``, ``.mat`` or ``.h5`` with ``mask``, ``.txt`` or ``.tsv`` of 0 and 1, or
            an image file such as NIfTI whose axes are x, y, slice.

    Returns:
        (x,), (y, x) or (slice, y, x), as stored; true is measured.

    Raises:
        BadKSpace: No mask in it, damaged, or values other than 0 and 1.
        NothingFound: No such file.
    """
    return torch.from_numpy(truth(np.squeeze(load_mask(Path(path)))))


def _assembled(
    acquired: Acquired,
    path: Path,
    mask: Given | Mask,
    maps: Given,
    may_cut: bool,
    voxel_size: tuple[float, float, float] | None,
) -> KSpace:
    alive, notes = refuse_nonsense(acquired.data)
    data = acquired.data if alive.all() else acquired.data[:, alive]
    run = slice(acquired.first, acquired.first + len(data))
    places, said = _places(acquired, data, mask, may_cut, run)
    grid = (places.shape[1], places.shape[2])
    old_grid = (data.shape[2], data.shape[3])
    data = np.require(cropped(data, grid), np.complex64, ["C", "W"])
    np.multiply(data, places[:, None], out=data)
    affine = _affine(acquired, grid, old_grid, voxel_size)
    warnings = [*acquired.warnings, *notes, *said, *checked_affine(affine, (len(data), *grid))]
    if voxel_size is not None:
        warnings = [warning for warning in warnings if warning != NO_SIZE]
    facts: dict[str, JSON] = {
        "name": printable(path.name),
        "format": acquired.format,
        "shape": list(acquired.data.shape),
        "n_slices": acquired.n_slices,
        "first_slice": acquired.first,
        "spacing": list(spacing_of(affine)),
        **acquired.facts,
        "warnings": [*warnings],
    }
    noise = acquired.noise
    return KSpace(
        torch.from_numpy(data),
        Mask(torch.from_numpy(np.array(places))),
        affine,
        _maps(acquired, maps, alive, data.shape),
        None if noise is None else torch.from_numpy(np.ascontiguousarray(noise[alive])),
        _image_shape(acquired, grid, old_grid),
        acquired.contrast,
        (Step("read", facts),),
    )


def _places(
    acquired: Acquired, data: Any, mask: Given | Mask, may_cut: bool, run: slice
) -> tuple[Any, list[str]]:
    """What counts as measured, (slice or 1, y, x), and what is odd about it."""
    grid = (data.shape[2], data.shape[3])
    places = measured_places(data) if acquired.places is None else acquired.places
    if acquired.columns is not None:
        places = places & acquired.columns
    given = acquired.mask if mask is None else _given_mask(mask)
    notes = []
    if given is not None:
        wanted = fitted(given, grid, acquired.n_slices, run, may_cut)
        places = cropped(places, (wanted.shape[1], wanted.shape[2]))
        both = places & wanted
        if not both.any():
            raise BadKSpace("the mask keeps nothing of what was measured: is it for another file?")
        missing = int((wanted & ~places).any((0, 1)).sum())
        if missing:
            notes.append(f"{missing} columns of the mask hold places that were never measured")
        places = both
    rows, columns = places.shape[1:]
    if not places[:, rows // 2, columns // 2].all():
        notes.append("the mask does not measure the centre of k-space: contrast will be wrong")
    return places, notes


def _given_mask(mask: Given | Mask) -> Any:
    if isinstance(mask, Mask):
        return mask.places.cpu().numpy()
    if isinstance(mask, Tensor):
        return mask.cpu().numpy()
    return mask if isinstance(mask, np.ndarray) else load_mask(Path(str(mask)))


def _maps(acquired: Acquired, maps: Given, alive: Any, shape: tuple[int, ...]) -> Tensor | None:
    """Maps of the wanted slices and the coils that are left, of norm 1 over the coils."""
    if maps is None:
        found = acquired.maps
    elif isinstance(maps, str | os.PathLike):
        found = load_maps(Path(maps))
    else:
        found = maps.cpu().numpy() if isinstance(maps, Tensor) else maps
    if found is None:
        return None
    if found.ndim != 5 or found.dtype.kind != "c":
        raise BadKSpace(
            f"coil maps are complex (slice, set, coil, y, x); got {found.dtype} {found.shape}"
        )
    if maps is not None and len(found) == acquired.n_slices:
        found = found[acquired.first : acquired.first + shape[0]]
    if found.shape[2] == len(alive):
        found = found[:, :, alive]
    if (found.shape[0], *found.shape[2:]) != shape:
        raise BadKSpace(
            f"the coil maps are {_size(found[:, 0].shape)}, k-space is {_size(shape)}: "
            "give maps of the same size"
        )
    return torch.from_numpy(_normalised(found.astype(np.complex64)))


def _size(shape: tuple[int, ...]) -> str:
    n_slices, n_coils, rows, columns = shape
    return f"{n_coils} coils of {rows} x {columns} in {n_slices} slices"


def _normalised(maps: Any) -> Any:
    """Several sets weigh each other and stay; one set gets norm 1 wherever it is not 0."""
    if maps.shape[1] > 1:
        return maps
    norm = np.sqrt((np.abs(maps) ** 2).sum(2, keepdims=True))
    return np.divide(maps, norm, out=np.zeros_like(maps), where=norm > 0)


def _affine(
    acquired: Acquired,
    grid: tuple[int, int],
    old_grid: tuple[int, int],
    voxel_size: tuple[float, float, float] | None,
) -> Affine44:
    """The affine of the wanted slices; fewer places in k-space mean larger voxels."""
    sizes = np.linalg.norm(acquired.affine[:3, :3], axis=0)
    directions = (acquired.affine[:3, :3] / np.where(sizes > 0, sizes, 1)).T
    middle = np.array([acquired.first, old_grid[0] // 2, old_grid[1] // 2])
    if voxel_size is not None:
        sizes = np.array(voxel_size, dtype=float)
    centre = acquired.affine[:3, :3] @ middle + acquired.affine[:3, 3]
    sizes = sizes * [1.0, old_grid[0] / grid[0], old_grid[1] / grid[1]]
    return affine_around(centre, directions, sizes, [0, grid[0] // 2, grid[1] // 2])


def _image_shape(
    acquired: Acquired, grid: tuple[int, int], old_grid: tuple[int, int]
) -> tuple[int, int] | None:
    """The part of the field of view that the image keeps, on the grid that is left."""
    if acquired.image_shape is None:
        return None
    rows, columns = (
        max(1, round(side * new / old))
        for side, new, old in zip(acquired.image_shape, grid, old_grid, strict=True)
    )
    return rows, columns
