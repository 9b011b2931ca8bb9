"""Several coils and one image: sensitivity maps, and what is done with them."""

import torch
from jaxtyping import Complex, Float
from torch import Tensor

__all__ = ["combine", "expand", "root_sum_of_squares"]


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
