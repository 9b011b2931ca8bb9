"""The readout of three-dimensional k-space, transformed: it becomes the axis of the slices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["readout_to_image"]


def readout_to_image(kspace: npt.NDArray[np.complex64], axis: int) -> npt.NDArray[np.complex64]:
    """Centred, orthonormal inverse transform along one fully measured axis.

    The transform of images stands above this room (``ops.fourier``); a file's readout must be
    gone before there is a stack of slices to hand to it. A test holds the two to each other.
    """
    uncentred = np.fft.ifftshift(kspace, axes=axis)
    image = np.fft.fftshift(np.fft.ifft(uncentred, axis=axis, norm="ortho"), axes=axis)
    return image.astype(np.complex64, copy=False)
