"""Comparisons in windows in one compiled pass, for processors and without gradients."""

import math

import numpy as np
import torch
from torch import Tensor

from isocenter.ops._kernels_similarity import informative_rows, similar_rows
from isocenter.ops._threads import in_threads

__all__ = ["information_ratios", "similarity_means"]


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
    x, y = _planes(image), _planes(reference)
    blocks, *places = _places(x, len(taps))
    out = torch.empty(blocks, *places[:2], 2, dtype=torch.float64)
    numbers = _turned(taps.to(image)), image.new_tensor(steady).numpy(), out.numpy()
    in_threads(
        lambda *part: similar_rows(x.numpy(), y.numpy(), *numbers, *part), blocks * places[0]
    )
    similarity, structure = out.mean((1, 2)).to(image).unflatten(0, image.shape[:2]).unbind(-1)
    return similarity, structure


def information_ratios(
    image: Tensor, reference: Tensor, taps: Tensor, *, flat: float, noise: float
) -> tuple[Tensor, Tensor]:
    """Signal over noise of every window: what the image keeps of the reference, and what it held.

    The image is modelled as g = s_xy / s_y^2 times the reference, never less than 0, and a rest
    of variance s_x^2 - g s_xy: the ratios are g^2 s_y^2 / (rest + noise) and s_y^2 / noise.

    Args:
        image: (N, C, *spatial), two or three spatial axes, on the processor, float32 or float64.
        reference: Same shape and type.
        taps: Of the window along every axis, (width,); no axis is shorter.
        flat: A variance below this is none; the rest has no less.
        noise: Variance, > 0.

    Returns:
        Both (N, C, *places), type of the image.
    """
    x, y = _planes(image), _planes(reference)
    blocks, *places = _places(x, len(taps))
    out = image.new_empty(2, blocks, *places)
    numbers = _turned(taps.to(image)), image.new_tensor([flat, noise]).numpy(), out.numpy()
    in_threads(
        lambda *part: informative_rows(x.numpy(), y.numpy(), *numbers, *part), blocks * places[0]
    )
    sides = [side - len(taps) + 1 for side in image.shape[2:]]
    kept, there = out.reshape(2, *image.shape[:2], *sides)
    return kept, there


def _planes(image: Tensor) -> Tensor:
    """(N, C, *spatial) to (blocks, depth, height, width); the height of a plane is its depth."""
    sides = image.shape[2:] if image.ndim == 5 else (image.shape[2], 1, image.shape[3])
    return image.reshape(math.prod(image.shape[:2]), *sides).contiguous()


def _places(planes: Tensor, width: int) -> list[int]:
    """Places where the window fits; along a height of 1 there is none to fit."""
    blocks, *sides = planes.shape
    return [blocks, *(side - width + 1 if side > 1 else 1 for side in sides)]


def _turned(taps: Tensor) -> tuple[tuple[np.floating, ...], ...]:
    """The taps as a ring of planes holds them, for every plane that may be the first."""
    numbers = tuple(taps.numpy())
    return tuple(
        numbers[len(numbers) - turn :] + numbers[: len(numbers) - turn]
        for turn in range(len(numbers))
    )
