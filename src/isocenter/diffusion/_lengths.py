"""Lengths of images, of every item or of the batch as a whole."""

import torch
from jaxtyping import Complex, Float
from torch import Tensor

__all__ = ["Lengths", "lengths", "over"]

Lengths = Float[Tensor, "b 1 1"]


def lengths(images: Complex[Tensor, "b y x"]) -> Float[Tensor, "b 1 1"]:
    """Euclidean length of every item."""
    found: Tensor = torch.linalg.vector_norm(images, dim=(-2, -1), keepdim=True)
    return found


def over(numerator: Lengths, denominator: Lengths) -> Lengths:
    """Their ratio, and 0 where there is nothing to divide by."""
    there = denominator > 0
    return torch.where(there, numerator / torch.where(there, denominator, 1), 0)
