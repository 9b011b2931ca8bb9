"""Normal numbers that only their stream's number decides."""

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from isocenter.ops._threads import in_threads

__all__ = ["normals"]

CHUNK = 1 << 17
"""Voxels per random stream: fixed, so that the number of threads changes nothing."""


def normals(n: int, *, sigma: float, stream: int, n_channels: int) -> list[Float32[Tensor, " n"]]:
    """Independent normal numbers of mean 0, made on the CPU so that every device gets the same.

    Args:
        n: How many in each channel.
        sigma: Standard deviation, in the unit that is wanted.
        stream: From 0 to 2**53 - 1; decides every number.
        n_channels: How many channels.
    """
    deviation = np.float32(sigma)
    channels = [np.empty(n, np.float32) for _ in range(n_channels)]

    def work(start: int, stop: int) -> None:
        for chunk in range(start, stop):
            source = np.random.Generator(np.random.SFC64([stream, chunk]))
            for channel in channels:
                part = channel[chunk * CHUNK : (chunk + 1) * CHUNK]
                source.standard_normal(dtype=np.float32, out=part)
                part *= deviation

    in_threads(work, -(-n // CHUNK))
    return [torch.from_numpy(channel) for channel in channels]
