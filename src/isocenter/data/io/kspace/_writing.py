"""``KSpace`` to files that other programs read, and its images to scans in space."""

import io
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from isocenter.data import atomic
from isocenter.data.io._geometry import in_ras, spacing_of
from isocenter.data.io.kspace._places import cropped
from isocenter.data.kspace import KSpace
from isocenter.data.shapes import Maps5
from isocenter.data.volume import Volume
from isocenter.errors import BadKSpace, UsageError

__all__ = ["to_scan", "write_cfl", "write_kspace_hdf5"]


def to_scan(
    image: Complex[Tensor, "slice y x"] | Float[Tensor, "slice y x"], kspace: KSpace
) -> Volume:
    """The magnitude of an image of every slice as a scan in space.

    Args:
        image: (slice, y, x) on the grid of k-space; complex, or a magnitude or deviation.
        kspace: Where it lies, what of it to keep, and its history so far.

    Returns:
        float32 (x, y, z), RAS+, cut around the centre to ``kspace.image_shape``.

    Raises:
        BadKSpace: Another size than k-space.
    """
    if tuple(image.shape) != (kspace.n_slices, *kspace.grid):
        raise BadKSpace(
            f"the image is {tuple(image.shape)}, k-space has {kspace.n_slices} slices of "
            f"{kspace.grid[0]} x {kspace.grid[1]}"
        )
    data = image.abs() if image.is_complex() else image
    stack = data.detach().to("cpu", torch.float32).numpy()
    affine = kspace.affine.copy()
    if kspace.image_shape is not None:
        for axis, (side, kept) in enumerate(zip(kspace.grid, kspace.image_shape, strict=True), 1):
            affine[:3, 3] += (side // 2 - kept // 2) * affine[:3, axis]
        stack = cropped(stack, kspace.image_shape)
    moved, affine = in_ras(stack, affine)
    return Volume(
        torch.from_numpy(np.ascontiguousarray(moved)), affine, kspace.contrast, kspace.history
    )


def write_cfl(values: KSpace | Maps5, path: str | os.PathLike[str]) -> Path:
    """Write k-space or coil maps as BART reads them: ``.cfl`` first, ``.hdr`` last.

    Args:
        values: K-space, or maps (slice, set, coil, y, x). Places are not kept: BART has none.
        path: With or without one of the two endings.

    Returns:
        The path of the header.

    Raises:
        ResourceError: Disk full, folder missing or read-only; nothing is left behind.
    """
    array = values.data.unsqueeze(1) if isinstance(values, KSpace) else values
    n_slices, n_sets, n_coils, rows, columns = array.shape
    sides = [rows, columns, 1, n_coils, n_sets, *[1] * 8, n_slices, 1, 1]
    # BART's first axis runs fastest: the readout. Reversed, our axes are coil-major C order.
    stored = array.detach().cpu().permute(0, 1, 2, 4, 3).contiguous().numpy().astype("<c8")
    stem = Path(path).name.removesuffix(".cfl").removesuffix(".hdr")
    atomic.write_bytes(Path(path).with_name(f"{stem}.cfl"), stored.data.cast("B"))
    header = f"# Dimensions\n{' '.join(map(str, sides))}\n"
    return atomic.write_text(Path(path).with_name(f"{stem}.hdr"), header)


def write_kspace_hdf5(kspace: KSpace, path: str | os.PathLike[str]) -> Path:
    """Write k-space in the layout of fastMRI, with what that layout has no place for beside it.

    Args:
        kspace: Any.
        path: Ends in ``.h5`` or ``.hdf5``.

    Returns:
        The path; :func:`read_kspace` gives back data, mask, maps, noise, affine, image shape
        and contrast.

    Raises:
        UsageError: Another ending.
        ResourceError: Disk full, folder missing or read-only; nothing is left behind.
    """
    import h5py

    path = Path(path)
    if not path.name.lower().endswith((".h5", ".hdf5")):
        raise UsageError(f"cannot write {path.suffix or 'a file without ending'}: use .h5")
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, values in _arrays(kspace).items():
            # Without times in the file, the same content gives the same bytes.
            file.create_dataset(name, data=values, track_times=False)
        file["ismrmrd_header"] = _header(kspace)
        for name, value in _attributes(kspace).items():
            file.attrs[name] = value
    return atomic.write_bytes(path, buffer.getbuffer())


def _arrays(kspace: KSpace) -> dict[str, Any]:
    places = kspace.mask.places.cpu().numpy()
    line_pattern = bool((places == places[:1, :1]).all())
    arrays = {
        "kspace": kspace.data.detach().cpu().numpy(),
        "mask": places[0, 0] if line_pattern else places,
    }
    for name, values in (("maps", kspace.maps), ("noise", kspace.noise)):
        if values is not None:
            arrays[name] = values.detach().cpu().numpy()
    return arrays


def _attributes(kspace: KSpace) -> dict[str, Any]:
    history = [asdict(step) for step in kspace.history]
    attributes: dict[str, Any] = {
        "isocenter_affine": kspace.affine,
        "isocenter_history": json.dumps(history, sort_keys=True),
    }
    if kspace.image_shape is not None:
        attributes["isocenter_image_shape"] = kspace.image_shape
    if kspace.contrast is not None:
        attributes["isocenter_contrast"] = kspace.contrast
    return attributes


def _header(kspace: KSpace) -> bytes:
    """The little of ISMRMRD's header that readers of fastMRI files look for."""
    rows, columns = kspace.grid
    thickness, row_size, column_size = spacing_of(kspace.affine)
    kept_rows, kept_columns = kspace.image_shape or kspace.grid

    def space(name: str, sides: tuple[int, int]) -> str:
        fov = (sides[0] * row_size, sides[1] * column_size, thickness)
        return (
            f"<{name}><matrixSize>{_axes((*sides, 1))}</matrixSize>"
            f"<fieldOfView_mm>{_axes(fov)}</fieldOfView_mm></{name}>"
        )

    limits = f"<minimum>0</minimum><maximum>{columns - 1}</maximum><center>{columns // 2}</center>"
    return (
        '<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding>'
        f"{space('encodedSpace', (rows, columns))}"
        f"{space('reconSpace', (kept_rows, kept_columns))}"
        f"<encodingLimits><kspace_encoding_step_1>{limits}</kspace_encoding_step_1>"
        "</encodingLimits><trajectory>cartesian</trajectory></encoding></ismrmrdHeader>"
    ).encode()


def _axes(values: tuple[float, ...]) -> str:
    return "".join(f"<{axis}>{value:g}</{axis}>" for axis, value in zip("xyz", values, strict=True))
