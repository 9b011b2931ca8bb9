"""What restorers share that fill k-space from its own centre."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Complex
from torch import Tensor

from isocenter.data.kspace import KSpace
from isocenter.data.step import JSON
from isocenter.errors import BadKSpace, UsageError
from isocenter.ops.autocalibration import calibration_block, noise_to_signal
from isocenter.ops.coils import combine, root_sum_of_squares
from isocenter.ops.fourier import ifft
from isocenter.restorers._restored import Progress, Restored

__all__ = ["Fill", "check_side", "kernel_weight", "restore_filled"]

LEAST_WEIGHT = 1e-3

Plane = Complex[Tensor, "coil y x"]
Block = Complex[Tensor, "coil rows columns"]
Fill = Callable[[Plane, Bool[Tensor, "y x"], Block], tuple[Plane, int]]
"""K-space of one slice, its mask and its calibration block, to filled k-space and the number of
places that could not be filled."""


def restore_filled(
    kspace: KSpace,
    fill: Fill,
    progress: Progress | None,
    *,
    name: str,
    least: tuple[int, int],
) -> Restored:
    """Fill every slice by itself and combine its coils: by their maps, or as a sum of squares.

    Args:
        kspace: Of several coils.
        fill: What to do with a slice.
        progress: Told of every slice.
        name: Of the method, for messages.
        least: Rows and columns that calibration needs.

    Raises:
        BadKSpace: One coil, or too small a centre.
    """
    _check(kspace, name, least)
    images, unfilled = [], 0
    places = kspace.mask.places.expand(kspace.n_slices, -1, -1)
    for index, (data, mask) in enumerate(zip(kspace.data, places, strict=True)):
        block = calibration_block(data, mask, kspace.mask.acs)
        filled, left = fill(data, mask, block)
        unfilled += left
        maps = None if kspace.maps is None else kspace.maps[index, :1]
        images.append(_image(torch.where(mask, data, filled), maps))
        if progress is not None:
            progress(index + 1, kspace.n_slices)
    combined = "root sum of squares" if kspace.maps is None else "maps"
    # What was measured is kept as it is.
    facts: dict[str, JSON] = {
        "not_filled": unfilled,
        "combined_by": combined,
        "data_residual": [0.0] * kspace.n_slices,
    }
    return Restored(torch.stack(images), facts=facts)


def kernel_weight(
    given: float | None, data: Plane, mask: Bool[Tensor, "y x"], block: Block
) -> float:
    """The given weight of Tikhonov's, else the one of least mean squared error outside."""
    if given is not None:
        return given
    rows, columns = block.shape[-2:]
    return max(LEAST_WEIGHT, noise_to_signal(data, mask, (rows, columns)))


def check_side(value: int, name: str) -> None:
    """Refuse an even or negative side of a kernel.

    Raises:
        UsageError: Names the option and the value.
    """
    if value < 1 or value % 2 == 0:
        raise UsageError(f"{name} is {value}: give an odd number, such as 5")


def _check(kspace: KSpace, name: str, least: tuple[int, int]) -> None:
    if kspace.n_coils < 2:
        raise BadKSpace(
            f"{name} fills k-space of one coil from the others and here is one coil: use sense or "
            "l1_wavelet"
        )
    rows, columns = kspace.mask.acs
    if rows < least[0] or columns < least[1]:
        raise BadKSpace(
            f"{name} learns from a fully measured centre of at least {least[0]} x {least[1]} and "
            f"the mask has {rows} x {columns}: measure a larger centre, or give maps and use "
            "l1_wavelet"
        )


def _image(filled: Plane, maps: Tensor | None) -> Complex[Tensor, "y x"]:
    coils = ifft(filled, (-2, -1))
    if maps is None:
        return root_sum_of_squares(coils).to(filled.dtype)
    return combine(coils, maps)[0]
