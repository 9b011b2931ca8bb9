"""Several coils and one image: sensitivity maps, and what is done with them."""

from itertools import product

import torch
from jaxtyping import Complex, Complex64, Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from isocenter.data.shapes import Kspace4, Maps5
from isocenter.errors import BadKSpace
from isocenter.ops._threads import in_threads

__all__ = ["CALIBRATION", "combine", "espirit", "expand", "root_sum_of_squares", "walsh"]

CALIBRATION = 24
"""Rows and columns of the centre that are enough to calibrate with; more cost time."""
N_ITERATIONS = 30
"""Of the power iteration at every pixel."""
BLOCK = 2**14
"""Pixels whose matrices are made at once."""
MUCH = 2**19
"""Values of matrices from which a compiled loop is worth its compilation, which takes seconds
once and is then kept on disk."""


def expand(
    image: Complex[Tensor, "*batch set y x"], maps: Complex[Tensor, "*maps set coil y x"]
) -> Complex[Tensor, "*out coil y x"]:
    """What every coil sees of an image: ``sum over sets of S x``.

    Args:
        image: One image for every set of maps; leading axes broadcast against those of ``maps``.
        maps: Coil sensitivities.
    """
    if maps.shape[-4] == 1:
        return maps.squeeze(-4) * image
    return (maps * image.unsqueeze(-3)).sum(-4)


def combine(
    coil_images: Complex[Tensor, "*batch coil y x"], maps: Complex[Tensor, "*maps set coil y x"]
) -> Complex[Tensor, "*out set y x"]:
    """The adjoint of :func:`expand`: ``sum over coils of conj(S) x_c``, for every set.

    Where the squared magnitudes of the maps sum to 1 it is the image with the least noise, if
    noise is white (Roemer et al., Magn. Reson. Med. 16(2), 1990, doi:10.1002/mrm.1910160203).
    """
    return (maps.conj() * coil_images.unsqueeze(-4)).sum(-3)


def root_sum_of_squares(
    coil_images: Complex[Tensor, "*batch coil y x"],
) -> Float[Tensor, "*batch y x"]:
    """Magnitude of all coils together, without maps (Roemer et al. 1990, equation 27)."""
    magnitude: Tensor = torch.linalg.vector_norm(coil_images, dim=-3)
    return magnitude


def espirit(
    kspace: Kspace4,
    acs: tuple[int, int],
    *,
    kernel: int = 6,
    threshold: float = 0.02,
    crop: float = 0.9,
    n_sets: int = 1,
    soft: bool = False,
) -> Maps5:
    """Coil maps from the fully measured centre of k-space.

    Windows of the centre span a space of signals; where a pixel's coil vector, as a plane wave,
    lies in that space, it is an eigenvector to the eigenvalue 1 of a small matrix (Uecker et al.,
    Magn. Reson. Med. 71(3), 2014, doi:10.1002/mrm.24751, equations 8-12).  That matrix is made
    here from the space's projector, whose diagonals are summed, so that the cost does not
    depend on how many windows span the space.

    Args:
        kspace: Centred.
        acs: Rows and columns measured in full around the centre; at most ``CALIBRATION`` of each
            are used.
        kernel: Side of the windows.
        threshold: Singular values below this part of the largest belong to noise.
        crop: Where the eigenvalue is less, there is no signal and the map is 0.
        n_sets: Maps a pixel; a second one helps where the image folds into itself (a field of
            view smaller than the head).
        soft: Weigh the maps by a smooth step of the eigenvalue around ``crop`` instead of a hard
            one; the squared magnitudes then sum to less than 1 there.

    Returns:
        Maps; their phase is that of the coils' strongest combination, so that the combined image
        has a smooth phase.

    Raises:
        BadKSpace: The fully measured centre is smaller than a window, or there are more sets than
            coils.
    """
    rows, columns = min(acs[0], CALIBRATION), min(acs[1], CALIBRATION)
    if min(rows, columns) < kernel:
        raise BadKSpace(
            f"the fully measured centre has {acs[0]} x {acs[1]} places and ESPIRiT needs at least "
            f"{kernel} x {kernel}: measure more of it, or give coil maps"
        )
    if not 1 <= n_sets <= kspace.shape[1]:
        raise BadKSpace(f"{kspace.shape[1]} coils have no {n_sets} sets of maps: ask for fewer")
    shape = (kspace.shape[-2], kspace.shape[-1])
    centre = _centre(kspace, (rows, columns))
    maps = []
    for calibration in centre:
        taps = _signal_space_taps(calibration, kernel, threshold)
        vectors, values = _eigenmaps(taps, shape, n_sets)
        vectors = _turned(vectors, calibration)
        weight = _soft_step(values, crop) if soft else (values > crop).float()
        maps.append(vectors * weight.unsqueeze(1))
    return torch.stack(maps)


def walsh(coil_images: Kspace4, *, window: int = 7) -> Maps5:
    """Coil maps from images of the coils: how they go together around every pixel.

    Dominant eigenvector of the coils' local covariance (Walsh et al., Magn. Reson. Med. 43(5),
    2000, doi:10.1002/(SICI)1522-2594(200005)43:5<682::AID-MRM10>3.0.CO;2-G).

    Args:
        coil_images: Complex images of every coil, such as those of the fully measured centre.
        window: Side of the square around a pixel, odd.

    Returns:
        One set of maps, also where there is only noise; 0 where all images are.
    """
    return torch.stack([_walsh(images, window)[None] for images in coil_images])


def _walsh(images: Complex64[Tensor, "coil y x"], window: int) -> Complex64[Tensor, "coil y x"]:
    outer = images.unsqueeze(1) * images.conj().unsqueeze(0)
    parts = torch.view_as_real(outer).movedim(-1, 0).flatten(0, 1)
    smooth = avg_pool2d(parts, window, 1, window // 2, count_include_pad=False)
    matrices = torch.complex(*smooth.unflatten(0, (2, -1)))
    vectors, _ = _dominant(matrices.flatten(2), 1)
    return _turned(vectors.unflatten(-1, images.shape[1:]), images)[0]


def _centre(kspace: Tensor, block: tuple[int, int]) -> Tensor:
    top, left = (n // 2 - length // 2 for n, length in zip(kspace.shape[-2:], block, strict=True))
    centre: Tensor = kspace[..., top : top + block[0], left : left + block[1]]
    return centre


def _signal_space_taps(
    calibration: Complex64[Tensor, "coil y x"], kernel: int, threshold: float
) -> Complex64[Tensor, "coil coil dy dx"]:
    """Correlation of the signal space's kernels, for all pairs of coils; 0 shift in the middle."""
    n_coils = len(calibration)
    windows = calibration.unfold(1, kernel, 1).unfold(2, kernel, 1)
    signals = windows.permute(0, 3, 4, 1, 2).reshape(n_coils * kernel**2, -1)
    projector = _projector(signals, threshold)
    return _sum_diagonals(projector.reshape([n_coils, kernel, kernel] * 2)) / kernel**2


def _projector(
    signals: Complex64[Tensor, "place window"], threshold: float
) -> Complex64[Tensor, "place place"]:
    """Onto what the columns span, but for singular values below a part of the largest."""
    n_places, n_windows = signals.shape
    tall = n_windows < n_places
    gram = signals.mH @ signals if tall else signals @ signals.mH
    energy, vectors = torch.linalg.eigh(gram)
    kept = energy > energy[-1] * threshold**2
    basis = vectors[:, kept]
    if tall:
        basis = signals @ (basis * energy[kept].rsqrt())
    projector: Tensor = basis @ basis.mH
    return projector


def _sum_diagonals(
    projector: Complex64[Tensor, "coil k k coil k k"],
) -> Complex64[Tensor, "coil coil d d"]:
    """Sum over pairs of places in a window that are the same shift apart."""
    n_coils, kernel = projector.shape[:2]
    side = 2 * kernel - 1
    sums = projector.new_zeros(n_coils, n_coils, side, side)
    backwards = projector.flip(4, 5)
    for down, across in product(range(kernel), repeat=2):
        there = sums[..., down : down + kernel, across : across + kernel]
        there += backwards[:, down, across]
    return sums


def _eigenmaps(
    taps: Complex64[Tensor, "coil coil dy dx"], shape: tuple[int, int], n_sets: int
) -> tuple[Complex64[Tensor, "set coil y x"], Float[Tensor, "set y x"]]:
    """Eigenvectors and eigenvalues at every pixel, a block of rows at a time."""
    down, across = (_waves(n, taps.shape[-1], taps) for n in shape)
    halfway = taps @ across.T
    found = []
    for rows in down.split(max(1, BLOCK // shape[1])):
        found.append(_dominant((rows @ halfway).flatten(2), n_sets))
    vectors, values = (torch.cat(parts, -1) for parts in zip(*found, strict=True))
    return vectors.unflatten(-1, shape), values.unflatten(-1, shape)


def _waves(n: int, n_shifts: int, like: Tensor) -> Complex64[Tensor, "n shift"]:
    """``exp(2 pi i r d / n)`` of places r and shifts d, both counted from their middle."""
    place = torch.arange(n, device=like.device, dtype=torch.float64) - n // 2
    shift = torch.arange(n_shifts, device=like.device, dtype=torch.float64) - n_shifts // 2
    angle = 2 * torch.pi / n * torch.outer(place, shift)
    return torch.polar(torch.ones_like(angle), angle).to(like.dtype)


def _dominant(
    matrices: Complex64[Tensor, "coil coil pixel"], n_sets: int
) -> tuple[Complex64[Tensor, "set coil pixel"], Float[Tensor, "set pixel"]]:
    """Eigenvectors to the largest eigenvalues of Hermitian matrices, by orthogonal iteration."""
    order = torch.arange(len(matrices), device=matrices.device)
    # Chirps: no coil vector of an image is orthogonal to all of them, or to one by symmetry.
    angle = torch.outer(torch.arange(1, n_sets + 1, device=order.device), order**2).float()
    starts = torch.polar(torch.ones_like(angle), angle)
    compiled = matrices.device.type == "cpu" and matrices.numel() >= MUCH
    return (_compiled_iteration if compiled else _iteration)(matrices, starts)


def _iteration(matrices: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels come last: all of them go through one product at a time."""
    vectors = starts.unsqueeze(-1).expand(-1, -1, matrices.shape[-1])
    terms = torch.empty_like(matrices)  # used again: the first touch of memory costs more than sums
    for _ in range(N_ITERATIONS):
        products = [torch.mul(matrices, vector, out=terms).sum(1) for vector in vectors]
        vectors, values = _orthonormal(products)
    return vectors, values


def _compiled_iteration(matrices: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
    """The same in compiled loops, a few pixels at a time."""
    from isocenter.ops import _kernels_coils as kernels

    n_pixels = matrices.shape[-1]
    vectors = matrices.new_empty(*starts.shape, n_pixels)
    values = vectors.real.new_empty(len(starts), n_pixels)
    given, start, *out = (x.contiguous().numpy() for x in (matrices, starts, vectors, values))
    in_threads(
        lambda first, last: kernels.dominant(given, start, N_ITERATIONS, *out, first, last),
        -(-n_pixels // kernels.LANES),
    )
    return vectors, values


def _orthonormal(vectors: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Gram and Schmidt, for every pixel (coil, pixel); what is 0 stays 0. And the lengths."""
    units: list[Tensor] = []
    lengths = []
    for vector in vectors:
        rest = vector
        for unit in units:
            rest = rest - unit * (unit.conj() * rest).sum(0)
        length = torch.view_as_real(rest).square().sum((0, -1)).sqrt()
        lengths.append(length)
        units.append(rest / length.clamp_min(torch.finfo(length.dtype).tiny))
    return torch.stack(units), torch.stack(lengths)


def _turned(
    vectors: Complex64[Tensor, "set coil y x"], images: Complex64[Tensor, "coil v u"]
) -> Complex64[Tensor, "set coil y x"]:
    """Turned so that the strongest combination of the coils in ``images`` has phase 0."""
    samples = images.flatten(1)
    _, combinations = torch.linalg.eigh(samples @ samples.mH)
    reference = torch.einsum("c,scyx->syx", combinations[:, -1].conj(), vectors)
    turn = torch.polar(torch.ones_like(reference.real), -reference.angle())
    return vectors * turn.unsqueeze(1)


def _soft_step(values: Float[Tensor, "set y x"], crop: float) -> Float[Tensor, "set y x"]:
    """From 0 to 1 around ``crop``, halfway from there to 1 on either side."""
    width = max(1 - crop, 1e-6)
    ramp = ((values - crop) / width + 0.5).clamp(0, 1)
    return ramp**2 * (3 - 2 * ramp)
