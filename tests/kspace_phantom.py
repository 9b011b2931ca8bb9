"""A slice of a head seen by smooth coils around it, and the lines that a fast scan measures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.ops.fourier import fft


@dataclass(frozen=True, eq=False)
class CoilPhantom:
    """One slice, textured; white matter is about 1."""

    image: Tensor
    """complex64 (y, x)."""
    maps: Tensor
    """complex64 (coil, y, x)."""
    kspace: Tensor
    """complex64 (coil, y, x), all of it."""


def coil_phantom(
    shape: tuple[int, int] = (64, 60), n_coils: int = 6, *, noise: float = 0.0, seed: int = 1
) -> CoilPhantom:
    """Coils on a circle around the head; ``noise`` is the deviation of real and imaginary part."""
    head = head_phantom((*shape, 9), scale=1.0).data[:, :, 4]
    texture = 0.5 + torch.rand(shape, generator=generator(seed + 1))
    image = (head * texture).to(torch.complex64)
    rows, columns = (torch.linspace(-1, 1, n) for n in shape)
    maps = []
    for coil in range(n_coils):
        turn = torch.tensor(2 * torch.pi * coil / n_coils)
        down = (rows - 1.3 * turn.sin())[:, None]
        across = columns - 1.3 * turn.cos()
        phase = turn + rows[:, None] * (turn + 1).sin() + columns * (turn + 1).cos()
        maps.append(torch.polar(1 / (down**2 + across**2 + 0.5), phase))
    stack = torch.stack(maps)
    stack = stack / torch.linalg.vector_norm(stack, dim=0)
    kspace = fft(stack * image, (-2, -1))
    white = torch.randn(*kspace.shape, 2, generator=generator(seed))
    return CoilPhantom(image, stack, kspace + noise * torch.view_as_complex(white))


def line_mask(shape: tuple[int, int], acceleration: int, acs: int) -> Tensor:
    """Every so many columns and ``acs`` of them around the centre; bool (y, x)."""
    columns = torch.arange(shape[1])
    centre = (columns - shape[1] // 2 + acs // 2 >= 0) & (columns - shape[1] // 2 < acs - acs // 2)
    return ((columns % acceleration == 0) | centre).expand(shape).clone()
