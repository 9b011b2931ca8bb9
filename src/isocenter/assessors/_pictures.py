"""What MIQANet sees of a slice."""

import torch
from torch import Tensor

from isocenter.ops.slabs import FAINT

__all__ = ["pictures"]


def pictures(slices: Tensor, n_inputs: int) -> Tensor:
    """Images for the network, 0 to 1 becoming -1 to 1.

    Args:
        slices: (N, side, side), 1 = bright tissue.
        n_inputs: 1: the slice; 2: beside it the slice on a logarithmic scale, where a ghost in the
            air is as plain as tissue; 3: three copies, as networks for photographs want them.

    Returns:
        (N, n_inputs, side, side).
    """
    images = slices[:, None]
    if n_inputs == 2:
        images = torch.cat([images, torch.asinh(images / FAINT) / 5], dim=1)
    elif n_inputs == 3:
        images = images.expand(-1, 3, -1, -1)
    return 2 * images - 1
