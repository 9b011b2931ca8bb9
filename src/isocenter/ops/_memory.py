"""Room for images."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

__all__ = ["empty"]


def empty(shape: Sequence[int], device: torch.device) -> Float32[Tensor, "..."]:
    """An image without values.

    On the CPU numpy asks the system for huge pages and torch does not: the first touch of a
    256 x 256 x 150 image then takes 3 ms of CPU instead of 17.
    """
    if device.type != "cpu":
        return torch.empty(tuple(shape), device=device)
    return torch.from_numpy(np.empty(math.prod(shape), np.float32)).reshape(tuple(shape))
