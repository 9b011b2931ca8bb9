"""Noise of several coils: how much, how it goes together, and fewer coils of the same data."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from isocenter.errors import BadKSpace

__all__ = ["Compressed", "compress_coils", "noise_covariance", "noise_level", "prewhiten"]

OUTERMOST = 0.05
"""Part of the measured places, farthest from the centre, that hold hardly anything but noise."""
MEDIAN_OF_NORMAL = 0.6744897501960817
"""Median of the absolute value of a standard normal variable."""


def noise_covariance(
    samples: Complex[Tensor, "coil sample"],
) -> Complex[Tensor, "coil coil"]:
    """``E[n n^H]`` of samples without signal; its diagonal is twice the variance of a real part.

    Raises:
        BadKSpace: Fewer samples than coils, so that it could not be inverted.
    """
    n_coils, n_samples = samples.shape
    if n_samples < n_coils:
        raise BadKSpace(
            f"{n_samples} noise samples of {n_coils} coils say too little: give a noise scan with "
            f"at least {n_coils}"
        )
    wide = samples.to(torch.complex128)
    return (wide @ wide.mH / n_samples).to(samples.dtype)


def prewhiten(
    kspace: Complex[Tensor, "*batch coil y x"], covariance: Complex[Tensor, "coil coil"]
) -> Complex[Tensor, "*batch coil y x"]:
    """Mix the coils so that their noise is independent and of variance 1.

    ``L^-1 y`` with the covariance's Cholesky factor ``L`` (Pruessmann et al., Magn. Reson. Med.
    46(4), 2001, doi:10.1002/mrm.1241, equations 21-25). What is not measured stays 0.

    Raises:
        BadKSpace: The covariance is not positive definite, as with a dead coil.
    """
    factor, failed = torch.linalg.cholesky_ex(covariance.to(torch.complex128))
    if int(failed):
        raise BadKSpace(
            "the noise covariance is not positive definite: leave out coils without noise of "
            "their own, or give a longer noise scan"
        )
    identity = torch.eye(len(factor), dtype=factor.dtype, device=factor.device)
    inverse = torch.linalg.solve_triangular(factor, identity, upper=False)
    return mix(kspace, inverse.to(kspace.dtype))


def noise_level(
    kspace: Complex[Tensor, "slice coil y x"], mask: Bool[Tensor, "one_or_slice y x"]
) -> Float[Tensor, " slice"]:
    """Standard deviation of the noise in the real and in the imaginary part, for every slice.

    The median absolute value in the outermost measured places, where an image has next to
    nothing; a few places with signal do not move a median. Places that hold exactly 0 in every
    coil were filled in and not measured.

    Args:
        kspace: Centred; coils of about the same noise, or prewhitened ones.
        mask: True where measured; one slice may stand for all.

    Returns:
        In units of ``kspace``; 0 where nothing but zeros was measured.
    """
    measured = mask & (kspace != 0).any(1)
    radius = _radius(kspace)
    pairs = zip(kspace, measured, strict=True)
    return torch.stack([_outer_level(data, radius, places) for data, places in pairs])


@dataclass(frozen=True, eq=False)
class Compressed:
    """K-space of fewer, virtual coils."""

    kspace: Complex[Tensor, "slice virtual y x"]
    matrix: Complex[Tensor, "virtual coil"]
    """From coils to virtual coils; its rows are orthonormal, so white noise stays white."""
    energy_kept: float
    """Part of the sum of squares that the virtual coils hold, 0 to 1."""


def compress_coils(kspace: Complex[Tensor, "slice coil y x"], n_coils: int) -> Compressed:
    """The ``n_coils`` combinations of coils that hold most of the data, one matrix for all slices.

    Huang et al., Magn. Reson. Imaging 26(1), 2008, doi:10.1016/j.mri.2007.04.010. Prewhiten
    first where the coils' noise differs. Maps are to be found afterwards, or mixed alike.

    Raises:
        BadKSpace: More virtual coils than coils, or none.
    """
    if not 1 <= n_coils <= kspace.shape[1]:
        raise BadKSpace(
            f"{kspace.shape[1]} coils cannot become {n_coils}: give a number from 1 to "
            f"{kspace.shape[1]}"
        )
    columns = kspace.transpose(0, 1).flatten(1)
    energy, vectors = torch.linalg.eigh((columns @ columns.mH).to(torch.complex128))
    matrix = vectors[:, -n_coils:].flip(1).mH.to(kspace.dtype)
    kept = energy[-n_coils:].sum() / energy.sum().clamp_min(torch.finfo(energy.dtype).tiny)
    return Compressed(mix(kspace, matrix), matrix, min(1.0, float(kept)))


def mix(
    coils: Complex[Tensor, "*batch coil y x"], matrix: Complex[Tensor, "mixed coil"]
) -> Complex[Tensor, "*batch mixed y x"]:
    """Combinations of coils: row i of ``matrix`` gives coil i of the result."""
    return torch.einsum("mc,...cyx->...myx", matrix, coils)


def _radius(kspace: Tensor) -> Float[Tensor, "y x"]:
    """Distance from the centre, 1 at the middle of every border."""
    rows, columns = (
        (torch.arange(n, device=kspace.device) - n // 2) / max(n / 2, 1) for n in kspace.shape[-2:]
    )
    return torch.hypot(rows[:, None], columns[None, :])


def _outer_level(
    data: Complex[Tensor, "coil y x"], radius: Float[Tensor, "y x"], places: Bool[Tensor, "y x"]
) -> Float[Tensor, ""]:
    found = radius[places]
    if not found.numel():
        return data.real.new_zeros(())
    edge = found.quantile(1 - OUTERMOST) if found.numel() < 2**24 else found.max()
    outer = data[:, places & (radius >= edge)]
    return torch.view_as_real(outer).abs().median() / MEDIAN_OF_NORMAL
