"""What MIQANet sees of a slice, and what it says of it."""

import torch
from torch import Tensor, nn

from isocenter.nets.miqanet import Config
from isocenter.ops.slabs import FAINT

__all__ = ["crops", "judge_slices", "pictures"]

AT_ONCE = 64
"""Crops of one forward pass: bounds the memory."""


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


def crops(slices: Tensor, side: int) -> Tensor:
    """The four corners and the middle, as the published network is evaluated.

    Args:
        slices: (N, height, width), at least ``side`` both.
        side: Height and width of a crop.

    Returns:
        (N, 5, side, side); (N, 1, side, side) when the slices are no larger.
    """
    down, right = slices.shape[1] - side, slices.shape[2] - side
    if down == right == 0:
        return slices[:, None]
    corners = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    return torch.stack([slices[:, y : y + side, x : x + side] for y, x in corners], dim=1)


@torch.no_grad()
def judge_slices(net: nn.Module, slices: Tensor, config: Config) -> Tensor:
    """What the network says of each slice, mean over its crops.

    Args:
        net: A MIQANet in evaluation mode.
        slices: (N, height, width), 1 = bright tissue.
        config: Of the network.

    Returns:
        (N,) on the scale of :func:`~isocenter.assessors._outputs.quality_to_target`, on the
        processor.
    """
    device = next(net.parameters()).device
    cut = crops(slices.float(), config.side)
    images = pictures(cut.flatten(0, 1), config.n_inputs)
    said = [net(part.to(device))[:, 0].float().cpu() for part in images.split(AT_ONCE)]
    return torch.cat(said).view(cut.shape[:2]).mean(1)
