"""Structural similarity in one compiled pass, for processors and without gradients."""

import math

import torch
from torch import Tensor

from isocenter.ops._kernels_similarity import similar_rows
from isocenter.ops._threads import in_threads

__all__ = ["similarity_means"]


def similarity_means(
    image: Tensor, reference: Tensor, taps: Tensor, steady: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """Mean structural similarity, and mean of its second factor, where the window fits.

    The factors are (2 m_x m_y + c1) / (m_x^2 + m_y^2 + c1) of the windows' means and
    (2 s_xy + c2) / (s_x^2 + s_y^2 + c2) of their variances and covariance.

    Args:
        image: (N, C, *spatial), two or three spatial axes, on the processor, float32 or float64.
        reference: Same shape and type.
        taps: Of the window along every axis, (width,); no axis is shorter.
        steady: The constants c1 and c2.

    Returns:
        Both (N, C), type of the image.
    """
    sides = image.shape[2:] if image.ndim == 5 else (image.shape[2], 1, image.shape[3])
    blocks = math.prod(image.shape[:2])
    x, y = (each.reshape(blocks, *sides).contiguous().numpy() for each in (image, reference))
    places = [side - len(taps) + 1 if side > 1 else 1 for side in sides]
    out = torch.empty(blocks, *places[:2], 2, dtype=torch.float64)
    numbers = taps.to(image).numpy(), image.new_tensor(steady).numpy(), out.numpy()
    in_threads(lambda *part: similar_rows(x, y, *numbers, *part), blocks * places[0])
    similarity, structure = out.mean((1, 2)).to(image).unflatten(0, image.shape[:2]).unbind(-1)
    return similarity, structure
